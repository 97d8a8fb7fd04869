// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/link_state.hpp>

namespace portsync::core {

// False for a VLAN (intfmgrd's) and a LAG (teamsyncd's), whatever they are called.
[[nodiscard]] inline bool is_port_kind(const LinkState& link) noexcept {
  return link.kind != "vlan" && link.kind != "team";
}

}  // namespace portsync::core
