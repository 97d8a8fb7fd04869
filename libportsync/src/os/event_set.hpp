// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <optional>

#include "os/clock.hpp"
#include "os/descriptor.hpp"

namespace portsync::os {

// The one descriptor of a Pollable: an epoll set, with a timer that is in it.
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

  // Makes the set readable at `deadline`, or never. Costs a system call only when it must fire earlier than it would: a
  // timer that fires too early is harmless, since its owner looks at the time.
  void arm(std::optional<TimePoint> deadline) noexcept;
  // Has the next arm() set the timer to a later time, too: for when a wake-up for nothing costs more than that call.
  void relax() noexcept { armed_.reset(); }

  // What is ready now, without waiting: ids and EPOLL* events. The timer is reset when it was among them. Returns the
  // count.
  int poll(epoll_event (&ready)[max_events]) noexcept;

 private:
  Descriptor epoll_;
  Descriptor timer_;
  std::optional<TimePoint> armed_;
};

}  // namespace portsync::os
