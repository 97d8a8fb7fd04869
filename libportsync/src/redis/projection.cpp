// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <portsync/redis/state_sink.hpp>

#include "redis/fields.hpp"

namespace portsync::redis {
namespace {

void set(Field& field, std::string_view name, std::string_view value) {
  field.name = name;
  field.value.assign(value);
}

}  // namespace

Projection make_projection(const StateSinkOptions& options) {
  return [index = options.index](const LinkState& link, PortRecord& record) {
    record.port = link.name;
    record.fields.resize(3U + (link.mtu ? 1U : 0U) + (index ? 1U : 0U));
    auto* field = record.fields.data();
    set(*field++, state_field, "ok");
    set(*field++, oper_field, up_or_down(link.running()));
    set(*field++, admin_field, up_or_down(link.admin_up()));
    if (link.mtu) {
      std::array<char, 16> digits{};
      const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *link.mtu).ptr;
      set(*field++, mtu_field, {digits.data(), static_cast<std::size_t>(end - digits.data())});
    }
    if (index) set(*field, index_field, up_or_down(link.running()));
  };
}

}  // namespace portsync::redis
