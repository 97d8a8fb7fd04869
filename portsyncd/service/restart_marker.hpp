// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace portsyncd {

// What the instance before has left behind.
struct Traces {
  std::string_view marker;  // the daemon's own file; "" = there was none
  std::string_view result;  // what ExecStopPost= of the unit wrote: $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS
  std::optional<std::chrono::milliseconds> silence;  // from the last sign of life to `result`
};

// "clean stop", "crash" or "watchdog", with what more is known; an end that the daemon itself has chosen and explained
// by its status is none of them: "bad configuration (exit status 78)". std::nullopt when no instance before is known
// of. Without `result`, and so without systemd, only clean or not is known, and not clean is a crash.
[[nodiscard]] std::optional<std::string> previous_end(const Traces& traces);

// Says in the log how the instance before has ended, and leaves the next one the same traces of this one: a file
// `instance` in the directory. One that cannot be written is a line of level debug and nothing else.
class RestartMarker {
 public:
  // "" = does nothing.
  explicit RestartMarker(const std::string& directory);
  RestartMarker(const RestartMarker&) = delete;
  RestartMarker& operator=(const RestartMarker&) = delete;
  ~RestartMarker();

  // A sign of life: after a kill by the watchdog the last one says since when nothing moved.
  void alive() const noexcept;
  void stopped() const noexcept;

 private:
  int fd_ = -1;
};

}  // namespace portsyncd
