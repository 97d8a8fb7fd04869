// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <portsync/pollable.hpp>

namespace portsync::core {

// Counts over the last `Slots` times `slot`, to the precision of a slot. Anything older than the window is dropped;
// anything younger than the window less one slot is counted. Content is the counter of one slot. Times never decrease.
// Pure, allocates nothing.
template <typename Content, std::size_t Slots>
class RingWindow {
 public:
  explicit RingWindow(Clock::duration slot) noexcept : slot_(slot) {}

  // Returns the counter for the present slot.
  [[nodiscard]] Content& at(TimePoint now) noexcept {
    advance(number_of(now));
    const std::size_t place = place_of(newest_);
    if (!used_[place]) {
      used_.set(place);
      contents_[place] = {};
    }
    return contents_[place];
  }

  template <typename Visit>
  void visit(TimePoint now, Visit visit) const {
    for (std::int64_t slot = first_of(now); slot <= newest_; ++slot) {
      if (used_[place_of(slot)]) visit(contents_[place_of(slot)]);
    }
  }

  // Returns when the oldest content leaves; std::nullopt when there is none.
  [[nodiscard]] std::optional<TimePoint> next_end(TimePoint now) const noexcept {
    for (std::int64_t slot = first_of(now); slot <= newest_; ++slot) {
      if (used_[place_of(slot)]) return TimePoint(slot_ * (slot + count));
    }
    return std::nullopt;
  }

 private:
  static constexpr auto count = static_cast<std::int64_t>(Slots);

  // Returns the number of a slot: its count since the clock's start.
  [[nodiscard]] std::int64_t number_of(TimePoint time) const noexcept { return time.time_since_epoch() / slot_; }
  [[nodiscard]] static std::size_t place_of(std::int64_t slot) noexcept {
    return static_cast<std::size_t>(slot) % Slots;
  }
  // Returns the oldest slot of the window that ends now.
  [[nodiscard]] std::int64_t first_of(TimePoint now) const noexcept {
    const std::int64_t first = number_of(now) - count + 1;
    return first > 0 ? first : 0;
  }

  void advance(std::int64_t current) noexcept {
    if (current - newest_ >= count) {
      used_.reset();
      newest_ = current;
    }
    while (newest_ < current) used_.reset(place_of(++newest_));
  }

  Clock::duration slot_;
  std::int64_t newest_ = 0;  // the newest slot that has content
  std::bitset<Slots> used_;
  std::array<Content, Slots> contents_{};
};

}  // namespace portsync::core
