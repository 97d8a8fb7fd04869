// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/link_state.hpp>

namespace portsync::core {

// Returns true for a change that SONiC's other programs must see although the row looks the same. Either the link went
// down, or it was down in between by the kernel's count, or it has another master.
[[nodiscard]] inline bool is_bounce(const LinkState& before, const LinkState& now) noexcept {
  if (before.master != now.master) return true;
  if (before.admin_up() && !now.admin_up()) return true;
  if (!before.running()) return false;
  if (!now.running()) return true;
  return before.carrier_down_count && now.carrier_down_count && *now.carrier_down_count > *before.carrier_down_count;
}

}  // namespace portsync::core
