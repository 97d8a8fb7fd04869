// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace portsync::core {

// Counts durations in buckets that are at most 1/8 of their value wide, from 0 to 2^32 us; allocates nothing.
class LatencyHistogram {
 public:
  void add(std::chrono::microseconds latency) noexcept;
  void add(const LatencyHistogram& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t max_us() const noexcept { return max_; }
  // Returns the upper bound of the bucket that contains the given fraction (0 to 1) of the added values, at most
  // max_us(); 0 when empty.
  [[nodiscard]] std::uint64_t quantile_us(double fraction) const noexcept;

 private:
  static constexpr unsigned sub_bits = 3;
  static constexpr std::size_t buckets = (33 - sub_bits) << sub_bits;

  static std::size_t bucket(std::uint64_t us) noexcept;
  static std::uint64_t upper_bound(std::size_t bucket) noexcept;

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace portsync::core
