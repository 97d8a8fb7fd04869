// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/link_state.hpp>
#include <string_view>

namespace portsync::core {

// Returns false for a VLAN (handled by intfmgrd) and a LAG (handled by teamsyncd), whatever its name.
[[nodiscard]] inline bool is_port_kind(const LinkState& link) noexcept {
  const std::string_view kind = link.kind;
  return kind != "vlan" && kind != "team";
}

}  // namespace portsync::core
