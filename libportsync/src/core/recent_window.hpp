// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <portsync/pollable.hpp>

#include "core/earliest.hpp"

namespace portsync::core {

// What was counted in the last minute, in slots of 5 s: what is older than a minute is out, and so may be what is up to
// 5 s younger. Content is what a slot counts in. Pure, allocates nothing.
template <typename Content>
class RecentWindow {
 public:
  static constexpr std::chrono::seconds slot_length{5};
  static constexpr std::size_t slot_count = 12;

  // Where to count what happens now. Time never goes back.
  [[nodiscard]] Content& at(TimePoint now) noexcept {
    const std::int64_t number = number_of(now);
    Slot& slot = slots_[static_cast<std::size_t>(number) % slot_count];
    if (slot.number != number) slot = {number, {}};
    return slot.content;
  }

  template <typename Visit>
  void visit(TimePoint now, Visit visit) const {
    for (const Slot& slot : slots_) {
      if (ends(slot) > now) visit(slot.content);
    }
  }

  // When the oldest content leaves; nullopt when there is none.
  [[nodiscard]] std::optional<TimePoint> next_end(TimePoint now) const noexcept {
    std::optional<TimePoint> first;
    for (const Slot& slot : slots_) {
      if (ends(slot) > now) first = earliest(first, ends(slot));
    }
    return first;
  }

 private:
  struct Slot {
    std::int64_t number = -static_cast<std::int64_t>(slot_count);  // of all since the clock's start; this one is over
    Content content;
  };

  static std::int64_t number_of(TimePoint now) noexcept { return now.time_since_epoch() / slot_length; }
  static TimePoint ends(const Slot& slot) noexcept {
    return TimePoint(slot_length * (slot.number + static_cast<std::int64_t>(slot_count)));
  }

  std::array<Slot, slot_count> slots_{};
};

}  // namespace portsync::core
