// SPDX-License-Identifier: Apache-2.0
// The fields of a stored row as the log, the control socket and D-Bus show them.
#pragma once

#include <portsync/port_record.hpp>
#include <string_view>

namespace portsyncd {

// Returns false for a sink's internal fields, whose names begin with '@'.
[[nodiscard]] inline bool is_shown(const portsync::Field& field) noexcept {
  return !field.name.starts_with('@');
}

// Returns the value without quotes, because the JSON sink stores strings with theirs.
[[nodiscard]] inline std::string_view shown_value(std::string_view value) noexcept {
  const bool quoted = value.size() >= 2 && value.front() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

}  // namespace portsyncd
