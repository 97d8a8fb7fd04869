// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <portsync/export.hpp>
#include <portsync/link_state.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace portsync {

// One field of a row. The name must outlive every record that carries it: a literal, as a rule. The value is text in
// the sink's own encoding.
struct Field {
  std::string_view name;  // a literal, as a rule
  std::string value;      // text in the sink's encoding
};

[[nodiscard]] inline bool operator==(const Field& a, const Field& b) noexcept {
  return a.name == b.name && a.value == b.value;
}
[[nodiscard]] inline bool operator!=(const Field& a, const Field& b) noexcept {
  return !(a == b);
}

// What a sink keeps of one port: the row's name and the fields that are ours. The order of the fields is the
// projection's and always the same for one sink.
struct PortRecord {
  std::string port;           // the row's name
  std::vector<Field> fields;  // in the projection's order
};

[[nodiscard]] PORTSYNC_API bool operator==(const PortRecord& a, const PortRecord& b) noexcept;
[[nodiscard]] inline bool operator!=(const PortRecord& a, const PortRecord& b) noexcept {
  return !(a == b);
}

// The value of a field, or nullptr. The pointer lives as long as the record is not changed.
[[nodiscard]] PORTSYNC_API const std::string* find_field(const PortRecord& record, std::string_view name) noexcept;

// Turns a link into a sink's record: which of its properties the sink keeps, and as what text. A property left out
// costs the sink nothing when it changes. Called with a record that may hold an older projection of any port: set
// `port` and every field; assigning in place keeps its memory. Must not throw but for lack of memory, and must depend
// on the link alone.
using Projection = std::function<void(const LinkState& link, PortRecord& record)>;

}  // namespace portsync
