// SPDX-License-Identifier: Apache-2.0
// The differences between sdbus-c++ 1.x and 2.x that dbus_service.cpp meets. sdbus-c++ has no version macro.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace portsyncd::sdbus_compat {

#if __has_include(<sdbus-c++/VTableItems.h>)

inline void request_name(sdbus::IConnection& connection, const char* name) {
  connection.requestName(sdbus::ServiceName(name));
}
inline bool process_one(sdbus::IConnection& connection) {
  return connection.processPendingEvent();
}
inline sdbus::Error make_error(const std::string& name, const std::string& message) {
  return {sdbus::Error::Name(name), message};
}
using CallError = std::optional<sdbus::Error>;
inline std::unique_ptr<sdbus::IProxy> make_proxy(sdbus::IConnection& connection, const char* name, const char* path) {
  return sdbus::createProxy(connection, sdbus::ServiceName(name), sdbus::ObjectPath(path));
}
inline void emit_properties_changed(sdbus::IObject& object, const char* interface,
                                    const std::vector<std::string>& names) {
  object.emitPropertiesChangedSignal(interface, std::vector<sdbus::PropertyName>(names.begin(), names.end()));
}
inline std::string sender_of_message(const sdbus::IObject& object) {
  return object.getCurrentlyProcessedMessage().getSender();
}

#else

inline void request_name(sdbus::IConnection& connection, const char* name) {
  connection.requestName(name);
}
inline bool process_one(sdbus::IConnection& connection) {
  return connection.processPendingRequest();
}
inline sdbus::Error make_error(const std::string& name, const std::string& message) {
  return {name, message};
}
using CallError = const sdbus::Error*;
inline std::unique_ptr<sdbus::IProxy> make_proxy(sdbus::IConnection& connection, const char* name, const char* path) {
  return sdbus::createProxy(connection, name, path);
}
inline void emit_properties_changed(sdbus::IObject& object, const char* interface,
                                    const std::vector<std::string>& names) {
  object.emitPropertiesChangedSignal(interface, names);
}
inline std::string sender_of_message(const sdbus::IObject& object) {
  return object.getCurrentlyProcessedMessage()->getSender();
}

#endif

}  // namespace portsyncd::sdbus_compat
