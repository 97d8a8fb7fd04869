// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/ring_window.hpp"

namespace portsync::core {

// Counts additions of the last `Slots` times `slot`; see RingWindow.
template <std::size_t Slots>
class SlidingCount {
 public:
  explicit SlidingCount(Clock::duration slot) noexcept : counts_(slot) {}

  void add(TimePoint now, std::uint32_t count) noexcept { counts_.at(now) += count; }

  [[nodiscard]] std::uint64_t sum(TimePoint now) const noexcept {
    std::uint64_t sum = 0;
    counts_.visit(now, [&sum](std::uint32_t count) { sum += count; });
    return sum;
  }

 private:
  RingWindow<std::uint32_t, Slots> counts_;
};

}  // namespace portsync::core
