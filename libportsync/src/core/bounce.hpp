// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/link_state.hpp>

namespace portsync::core {

// What SONiC's neighbours must see though the rows before and after look the same: the link went down, or was down in
// between as the kernel counts it, or it has another master.
[[nodiscard]] inline bool is_bounce(const LinkState& before, const LinkState& now) noexcept {
  if (before.master != now.master) return true;
  if (before.admin_up() && !now.admin_up()) return true;
  if (!before.running()) return false;
  if (!now.running()) return true;
  return before.carrier_down_count && now.carrier_down_count && *now.carrier_down_count > *before.carrier_down_count;
}

}  // namespace portsync::core
