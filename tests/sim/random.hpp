// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace sim {

// A small generator with the same numbers on every machine (SplitMix64, https://prng.di.unimi.it/splitmix64.c). The
// standard library's engines are portable, too, but its distributions differ between libraries.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t value = (state_ += 0x9e3779b97f4a7c15U);
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
  }

  // Returns a number from 0 to bound - 1; 0 if bound is 0.
  std::uint64_t below(std::uint64_t bound) noexcept {
    if (bound == 0) return 0;
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((Wide{next()} * bound) >> 64U);
  }
  // Returns a number from first to last, both included.
  std::int64_t between(std::int64_t first, std::int64_t last) noexcept {
    return first + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(last - first) + 1));
  }
  // Returns true at a rate of `count` in a million.
  bool per_million(std::uint32_t count) noexcept { return count != 0 && below(1'000'000) < count; }
  bool percent(std::uint32_t count) noexcept { return per_million(count * 10'000); }

  // Returns another generator, whose numbers do not depend on how many this one has returned.
  [[nodiscard]] static Random derive(std::uint64_t seed, std::uint64_t stream) noexcept {
    Random mixer(seed ^ (stream * 0xd1342543de82ef95U));
    return Random(mixer.next());
  }

 private:
  std::uint64_t state_;
};

}  // namespace sim
