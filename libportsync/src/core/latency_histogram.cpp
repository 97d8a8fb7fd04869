// SPDX-License-Identifier: Apache-2.0
#include "core/latency_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace portsync::core {

// Values below 2^sub_bits have a bucket each. Above, each power of two has 2^sub_bits buckets.
std::size_t LatencyHistogram::bucket(std::uint64_t us) noexcept {
  us = std::min<std::uint64_t>(us, UINT32_MAX);
  if (us < (1U << sub_bits)) return us;
  const auto exponent = static_cast<unsigned>(std::bit_width(us)) - 1 - sub_bits;
  return ((exponent + 1) << sub_bits) + ((us >> exponent) & ((1U << sub_bits) - 1));
}

std::uint64_t LatencyHistogram::upper_bound(std::size_t bucket) noexcept {
  if (bucket < (1U << sub_bits)) return bucket;
  const auto exponent = (bucket >> sub_bits) - 1;
  const auto mantissa = (bucket & ((1U << sub_bits) - 1)) | (1U << sub_bits);
  return ((mantissa + 1) << exponent) - 1;
}

void LatencyHistogram::add(std::chrono::microseconds latency) noexcept {
  const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
  ++counts_[bucket(us)];
  ++count_;
  max_ = std::max(max_, us);
}

void LatencyHistogram::add(const LatencyHistogram& other) noexcept {
  for (std::size_t i = 0; i < buckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

std::uint64_t LatencyHistogram::quantile_us(double fraction) const noexcept {
  if (count_ == 0) return 0;
  const auto wanted =
      std::max<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_))), 1);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets; ++i) {
    seen += counts_[i];
    if (seen >= wanted) return std::min(upper_bound(i), max_);
  }
  return max_;
}

}  // namespace portsync::core
