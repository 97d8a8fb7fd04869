// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/ring_window.hpp"

namespace portsync::core {

// Counts additions of the last `Buckets` times `bucket_length`; see RingWindow.
template <std::size_t Buckets>
class SlidingCount {
 public:
  explicit SlidingCount(Clock::duration bucket_length) noexcept : counts_(bucket_length) {}

  void add(TimePoint now, std::uint32_t count) noexcept { counts_.at(now) += count; }

  [[nodiscard]] std::uint64_t sum(TimePoint now) const noexcept {
    std::uint64_t sum = 0;
    counts_.visit(now, [&sum](std::uint32_t count) { sum += count; });
    return sum;
  }

 private:
  RingWindow<std::uint32_t, Buckets> counts_;
};

}  // namespace portsync::core
