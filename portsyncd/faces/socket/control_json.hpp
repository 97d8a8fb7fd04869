// SPDX-License-Identifier: Apache-2.0
// The messages of the control socket (doc/control-protocol.md). In faces/socket, only the .cpp file uses the JSON
// library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "faces/control.hpp"

namespace portsyncd::control_json {

enum class Method : std::uint8_t {
  status,
  ports,
  port,
  statistics,
  health,
  monitor,
  resync,
  audit,
  reload,
  log_level,
};

// Returns whether the method changes something. Not every client may use such a method.
[[nodiscard]] constexpr bool changes_something(Method method) noexcept {
  return method >= Method::resync;
}

struct Request {
  Method method = Method::status;
  std::string argument;  // ports: pattern, port: name, log_level: level
  bool force = false;    // resync
};

// The input shows that the other end does not speak this protocol.
struct Garbage {
  std::string what;
};

// Parses a line from a client, which is untrusted input. Throws nothing.
[[nodiscard]] std::variant<Request, ControlError, Garbage> parse(std::string_view line);

// Return JSON values. Bytes of a name that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string text_of(const Control::Status& status);
// `compared` is when the row was last compared with the store, if known. With `check`, the row that was read for this
// reply decides "in_sync".
[[nodiscard]] std::string text_of(const portsync::PortStatus& port,
                                  const std::optional<Control::WallClock::time_point>& compared,
                                  const Control::RowCheck* check = nullptr);
[[nodiscard]] std::string text_of(const Statistics& statistics);
[[nodiscard]] std::string text_of(const portsync::Health& health, const std::vector<Control::Transition>& history);

// Return complete lines.
[[nodiscard]] std::string result_line(const std::string& value);
[[nodiscard]] std::string error_line(std::string_view kind, std::string_view text);
[[nodiscard]] std::string error_line(const ControlError& error);
[[nodiscard]] std::string event_line(const Control::PortChange& change);
[[nodiscard]] std::string event_line(const Control::Transition& transition);
[[nodiscard]] std::string resynchronized_line(portsync::Cause cause, std::size_t ports);
[[nodiscard]] std::string store_line(bool open);
[[nodiscard]] std::string dropped_line(std::uint64_t events);

}  // namespace portsyncd::control_json
