// SPDX-License-Identifier: Apache-2.0
#include "service_notifier.hpp"

namespace portsyncd {

ServiceNotifier::ServiceNotifier() = default;
void ServiceNotifier::ready(const std::string&) {}
void ServiceNotifier::status(const std::string&) {}
void ServiceNotifier::stopping() {}
void ServiceNotifier::ping_watchdog() {}

}  // namespace portsyncd
