// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "faces/control.hpp"
#include "loop/event_loop.hpp"

namespace portsyncd {

// Serves the Control on the system bus as org.sonic.PortSync1 (data/org.sonic.PortSync1.xml, doc/dbus.md). The policy
// of the bus decides which client may call what. Does not delay rows: it connects in a thread and emits signals from a
// timer, a bounded number at once, and none while the bus does not accept them.
//
// The bus may come and go. The service tries to connect for ever. There are two implementations: dbus_service.cpp with
// sdbus-c++, and dbus_service_none.cpp for builds without it.
class DbusService {
 public:
  // `enabled` is dbus.enabled: "auto" or "true". With "true", a missing bus is logged as a warning.
  DbusService(EventLoop& loop, Control& control, const std::string& enabled);
  DbusService(const DbusService&) = delete;
  DbusService& operator=(const DbusService&) = delete;
  ~DbusService();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace portsyncd
