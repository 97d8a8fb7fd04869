// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <portsync/export.hpp>
#include <portsync/link_state.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace portsync {

// One field of a row. The name must outlive every record that carries it, so it is usually a literal. The value is text
// in the sink's own encoding.
struct Field {
  std::string_view name;  // usually a literal
  std::string value;      // text in the sink's encoding
};

[[nodiscard]] inline bool operator==(const Field& a, const Field& b) noexcept {
  return a.name == b.name && a.value == b.value;
}
[[nodiscard]] inline bool operator!=(const Field& a, const Field& b) noexcept {
  return !(a == b);
}

// The row that a sink stores for one port: its name and our fields. The projection determines the order of the fields,
// which is always the same for one sink.
struct PortRecord {
  std::string port;           // the row's name
  std::vector<Field> fields;  // in the projection's order
};

[[nodiscard]] PORTSYNC_API bool operator==(const PortRecord& a, const PortRecord& b) noexcept;
[[nodiscard]] inline bool operator!=(const PortRecord& a, const PortRecord& b) noexcept {
  return !(a == b);
}

// Returns the value of a field, or nullptr when there is none. The pointer is valid until the record changes.
[[nodiscard]] PORTSYNC_API const std::string* find_field(const PortRecord& record, std::string_view name) noexcept;

// Turns a link into a sink's record. It selects the properties that the sink stores, and formats them as text. A change
// of an omitted property causes no write. The record passed in may hold an older projection of any port: set `port` and
// every field. Assigning in place reuses the memory. It must throw only for lack of memory, and must depend on the link
// alone.
using Projection = std::function<void(const LinkState& link, PortRecord& record)>;

}  // namespace portsync
