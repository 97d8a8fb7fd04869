// SPDX-License-Identifier: Apache-2.0
#include "service_notifier.hpp"

#include <systemd/sd-daemon.h>

#include <cstdint>

namespace portsyncd {

ServiceNotifier::ServiceNotifier() {
  std::uint64_t timeout = 0;
  if (sd_watchdog_enabled(0, &timeout) > 0) watchdog_timeout_ = std::chrono::microseconds(timeout);
}

void ServiceNotifier::ready(const std::string& status) {
  (void)sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}

void ServiceNotifier::status(const std::string& status) {
  (void)sd_notify(0, ("STATUS=" + status).c_str());
}

void ServiceNotifier::stopping() {
  (void)sd_notify(0, "STOPPING=1");
}

void ServiceNotifier::ping_watchdog() {
  (void)sd_notify(0, "WATCHDOG=1");
}

}  // namespace portsyncd
