// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace portsyncd {

// The files that the previous instance left.
struct Traces {
  std::string_view marker;  // content of the daemon's own file; "" = none
  std::string_view result;  // written by the unit's ExecStopPost=: $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS
  std::optional<std::chrono::milliseconds> silence;  // from the last sign of life to `result`
};

// Returns how the previous instance ended: "clean stop", "crash" or "watchdog", with details. If the daemon itself
// chose to end with a status that has a meaning, returns that: "bad configuration (exit status 78)". Returns
// std::nullopt if no previous instance is known. Without `result`, so without systemd, an end that was not clean counts
// as a crash.
[[nodiscard]] std::optional<std::string> previous_end(const Traces& traces);

// Logs how the previous instance ended. Leaves traces of this one for the next: a file `instance` in the directory. If
// the file cannot be written, it only logs a line of level debug.
class RestartMarker {
 public:
  // An empty `directory` disables the marker.
  explicit RestartMarker(const std::string& directory);
  RestartMarker(const RestartMarker&) = delete;
  RestartMarker& operator=(const RestartMarker&) = delete;
  ~RestartMarker();

  // Records a sign of life. After a kill by the watchdog, the last one shows since when the loop stalled.
  void alive() const noexcept;
  // Records a clean stop.
  void stopped() const noexcept;

 private:
  int fd_ = -1;
};

}  // namespace portsyncd
