// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <optional>

#include "os/clock.hpp"
#include "os/descriptor.hpp"

namespace portsync::os {

// The one descriptor of a Pollable: an epoll set that includes a timer.
class EventSet {
 public:
  static constexpr std::uint32_t timer_id = 0;
  static constexpr int max_events = 8;

  // Throws std::system_error.
  EventSet();

  [[nodiscard]] int fd() const noexcept { return epoll_.get(); }

  // Watches a descriptor, level-triggered, under an id that is not timer_id. Throws std::system_error.
  void add(int fd, std::uint32_t events, std::uint32_t id);
  void modify(int fd, std::uint32_t events, std::uint32_t id);
  void remove(int fd) noexcept;

  // Makes the set readable at `deadline`, or never. Makes a system call only if the timer must fire earlier than it is
  // set to. A timer that fires too early is harmless, because its owner checks the time.
  void arm(std::optional<TimePoint> deadline) noexcept;
  // Lets the next arm() also set the timer to a later time. Use it where a needless wake-up costs more than the system
  // call.
  void relax() noexcept { armed_.reset(); }

  // Stores the ids and EPOLL* events that are ready now, and returns their count. Does not wait. Resets the timer if it
  // is among them.
  int poll(epoll_event (&ready)[max_events]) noexcept;

 private:
  Descriptor epoll_;
  Descriptor timer_;
  std::optional<TimePoint> armed_;
};

}  // namespace portsync::os
