// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "faces/control.hpp"
#include "loop/event_loop.hpp"

namespace portsyncd {

// The Control object on the system bus, as org.sonic.PortSync1 (data/org.sonic.PortSync1.xml, doc/dbus.md). The policy
// of the bus says who may ask for what. Never in the way of rows: it connects in a thread, tells changes from a timer,
// a bounded number at once, and none while the bus does not take them.
//
// The bus may come and go: it is tried again for ever. There are two: dbus_service.cpp on sdbus-c++, and
// dbus_service_none.cpp for a portsyncd that is built without it.
class DbusService {
 public:
  // `enabled` is dbus.enabled: "auto" or "true", which is told of a bus that is not there by a warning.
  DbusService(EventLoop& loop, Control& control, const std::string& enabled);
  DbusService(const DbusService&) = delete;
  DbusService& operator=(const DbusService&) = delete;
  ~DbusService();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace portsyncd
