// SPDX-License-Identifier: Apache-2.0
// The fields of a stored row as whoever watches portsyncd sees them: the log, the socket, D-Bus.
#pragma once

#include <portsync/port_record.hpp>
#include <string_view>

namespace portsyncd {

// A sink keeps fields for itself, whose names begin so.
[[nodiscard]] inline bool is_shown(const portsync::Field& field) noexcept {
  return !field.name.starts_with('@');
}

// A sink of JSON has strings with their quotes.
[[nodiscard]] inline std::string_view shown_value(std::string_view value) noexcept {
  const bool quoted = value.size() >= 2 && value.front() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

}  // namespace portsyncd
