// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace portsyncd {

// Tells systemd how the service does, by the protocol of sd_notify(3). Not by its function: that one waits when nobody
// empties the socket, and the loop must turn. What did not go through is kept until flush(); pings are not.
//
// Does nothing without NOTIFY_SOCKET.
class ServiceNotifier {
 public:
  ServiceNotifier();
  ServiceNotifier(const ServiceNotifier&) = delete;
  ServiceNotifier& operator=(const ServiceNotifier&) = delete;
  ~ServiceNotifier();

  // Somebody is to be told: systemd manages this service.
  [[nodiscard]] bool managed() const noexcept { return !path_.empty(); }

  void ready(const std::string& status);
  void status(const std::string& status);
  // Before a reload; ready() says that it has ended.
  void reloading();
  void stopping();
  void ping_watchdog();

  // Something could not be told yet.
  [[nodiscard]] bool waiting() const noexcept { return waiting_; }
  void flush();

  // WatchdogSec= of the unit, if it has one.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_timeout() const noexcept { return watchdog_timeout_; }

 private:
  [[nodiscard]] bool send(const std::string& message) const;

  int fd_ = -1;
  std::string path_;  // "" = nobody to tell; a leading '@' has become the NUL of an abstract socket
  bool ready_ = false;
  bool stopping_ = false;
  bool waiting_ = false;
  std::string status_;
  std::optional<std::chrono::microseconds> watchdog_timeout_;
};

}  // namespace portsyncd
