// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace portsyncd {

// Notifies systemd of the service's state with the protocol of sd_notify(3). Does not use that function, because it
// blocks the loop when the socket is full. A message that could not be sent is kept until flush(), except pings of the
// watchdog.
//
// Does nothing without NOTIFY_SOCKET.
class ServiceNotifier {
 public:
  ServiceNotifier();
  // Returns the rest of the 15 s after which READY=1 is sent without Redis, so that a boot does not hang. They count
  // from the start of the process, as systemd's TimeoutStartSec= does, even if the process makes a new App.
  [[nodiscard]] static std::chrono::milliseconds time_until_ready() noexcept;

  ServiceNotifier(const ServiceNotifier&) = delete;
  ServiceNotifier& operator=(const ServiceNotifier&) = delete;
  ~ServiceNotifier();

  // Returns true if systemd manages this service and expects notifications.
  [[nodiscard]] bool managed() const noexcept { return !path_.empty(); }

  void ready(const std::string& status);
  void status(const std::string& status);
  // Reports the beginning of a reload. ready() reports its end.
  void reloading();
  void stopping();
  void ping_watchdog();

  // Returns true if a message could not be sent yet.
  [[nodiscard]] bool has_unsent() const noexcept { return unsent_; }
  void flush();

  // Returns WatchdogSec= of the unit, if it has one.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_timeout() const noexcept { return watchdog_timeout_; }

 private:
  [[nodiscard]] bool send(const std::string& message);

  int fd_ = -1;  // opened when it is needed
  std::string path_;  // "" = not managed; a leading '@' is replaced by the NUL of an abstract socket
  bool ready_ = false;
  bool stopping_ = false;
  bool unsent_ = false;
  std::string status_;
  std::optional<std::chrono::microseconds> watchdog_timeout_;
};

}  // namespace portsyncd
