// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <portsync/port_record.hpp>

namespace portsync {

bool operator==(const PortRecord& a, const PortRecord& b) noexcept {
  return a.port == b.port && a.fields == b.fields;
}

const std::string* find_field(const PortRecord& record, std::string_view name) noexcept {
  const auto it = std::find_if(record.fields.begin(), record.fields.end(),
                               [name](const Field& field) { return field.name == name; });
  return it == record.fields.end() ? nullptr : &it->value;
}

}  // namespace portsync
