// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <portsync/pollable.hpp>

namespace portsync::core {

// How much was added in the last `Slots` times `slot`, to the precision of a slot: what is older than the window is
// gone, what is younger than the window less one slot is counted. Times never go back. Pure.
template <std::size_t Slots>
class SlidingCount {
 public:
  explicit SlidingCount(Clock::duration slot) noexcept : slot_(slot) {}

  void add(TimePoint now, std::uint32_t count) noexcept {
    advance(now);
    counts_[static_cast<std::size_t>(newest_) % Slots] += count;
  }

  [[nodiscard]] std::uint64_t sum(TimePoint now) const noexcept {
    std::uint64_t sum = 0;
    const std::int64_t current = number(now);
    for (std::int64_t age = current - newest_; age < std::int64_t{Slots}; ++age) {
      const std::int64_t slot = current - age;
      if (slot < 0) break;
      sum += counts_[static_cast<std::size_t>(slot) % Slots];
    }
    return sum;
  }

 private:
  [[nodiscard]] std::int64_t number(TimePoint time) const noexcept { return time.time_since_epoch() / slot_; }

  void advance(TimePoint now) noexcept {
    const std::int64_t current = number(now);
    if (current - newest_ >= std::int64_t{Slots}) {
      counts_.fill(0);
      newest_ = current;
    }
    while (newest_ < current) counts_[static_cast<std::size_t>(++newest_) % Slots] = 0;
  }

  Clock::duration slot_;
  std::int64_t newest_ = 0;  // number of the newest slot
  std::array<std::uint32_t, Slots> counts_{};
};

}  // namespace portsync::core
