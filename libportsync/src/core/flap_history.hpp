// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <portsync/port_status.hpp>

#include "core/sliding_count.hpp"

namespace portsync::core {

// The flaps of one port, computed from its link after each message. Pure: the time is an argument.
class FlapHistory {
 public:
  // Takes the state of the link after a message. nullptr: the link is gone, and its counts stay. Another link's flaps
  // count from its own beginning.
  void update(const LinkState* link, TimePoint received);

  [[nodiscard]] FlapStatistics statistics(TimePoint now) const;

 private:
  struct Windows {
    SlidingCount<12> minute{std::chrono::seconds(5)};
    SlidingCount<60> hour{std::chrono::minutes(1)};
  };

  void flapped(std::uint32_t times, TimePoint received);
  void set_running(bool running, TimePoint received);

  std::unique_ptr<Windows> windows_;  // nullptr for most ports, because they never flap
  std::uint64_t total_ = 0;
  std::chrono::milliseconds longest_outage_{0};
  std::optional<TimePoint> last_change_;
  std::optional<TimePoint> down_since_;
  std::int32_t ifindex_ = 0;      // the link that these counts belong to; 0 = no link
  std::uint32_t times_down_ = 0;  // the kernel's count
  bool running_ = false;
};

}  // namespace portsync::core
