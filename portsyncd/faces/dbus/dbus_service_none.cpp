// SPDX-License-Identifier: Apache-2.0
#include "faces/dbus/dbus_service.hpp"
#include "log/log.hpp"

namespace portsyncd {

class DbusService::Impl {};

DbusService::DbusService(EventLoop&, Control&, const std::string& enabled) {
  const char* const text = "No D-Bus service: this portsyncd was built without it (-Ddbus)";
  enabled == "true" ? log::warning(text) : log::info(text);
}

DbusService::~DbusService() = default;

}  // namespace portsyncd
