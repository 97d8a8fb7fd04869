// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <portsync/pollable.hpp>

namespace portsync::core {

// Returns the earlier of two deadlines. nullopt means no deadline, which is later than any.
[[nodiscard]] constexpr std::optional<TimePoint> earliest(const std::optional<TimePoint>& a,
                                                          const std::optional<TimePoint>& b) noexcept {
  if (!a || !b) return a ? a : b;
  return *b < *a ? b : a;
}

}  // namespace portsync::core
