// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace portsyncd {

// Tells systemd how the service does (sd_notify(3)). Does nothing when nobody listens (no NOTIFY_SOCKET), and in a
// build without libsystemd (service_notifier_none.cpp).
class ServiceNotifier {
 public:
  ServiceNotifier();

  void ready(const std::string& status);
  void status(const std::string& status);
  void stopping();
  void ping_watchdog();

  // WatchdogSec= of the unit, if it has one.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_timeout() const noexcept { return watchdog_timeout_; }

 private:
  std::optional<std::chrono::microseconds> watchdog_timeout_;
};

}  // namespace portsyncd
