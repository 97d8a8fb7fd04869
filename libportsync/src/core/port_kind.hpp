// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/link_state.hpp>
#include <string_view>

namespace portsync::core {

// False for a VLAN (intfmgrd's) and a LAG (teamsyncd's), whatever they are called.
[[nodiscard]] inline bool is_port_kind(const LinkState& link) noexcept {
  const std::string_view kind = link.kind;
  return kind != "vlan" && kind != "team";
}

}  // namespace portsync::core
