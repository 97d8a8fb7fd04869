// SPDX-License-Identifier: Apache-2.0
#include "os/event_set.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace portsync::os {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::system_category(), what);
}

}  // namespace

EventSet::EventSet()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!epoll_) fail("epoll_create1");
  if (!timer_) fail("timerfd_create");
  add(timer_.get(), EPOLLIN, timer_id);
}

void EventSet::add(int fd, std::uint32_t events, std::uint32_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u32 = id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl(EPOLL_CTL_ADD)");
}

void EventSet::modify(int fd, std::uint32_t events, std::uint32_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u32 = id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) < 0) fail("epoll_ctl(EPOLL_CTL_MOD)");
}

void EventSet::remove(int fd) noexcept {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EventSet::arm(std::optional<TimePoint> deadline) noexcept {
  if (!deadline || (armed_ && *armed_ <= *deadline)) return;
  // 0 would disarm the timer, so the earliest deadline is 1 ns after the clock's start.
  const auto since_start = std::max(deadline->time_since_epoch(), std::chrono::nanoseconds{1});
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_start);
  itimerspec spec{};
  spec.it_value.tv_sec = seconds.count();
  spec.it_value.tv_nsec = (since_start - seconds).count();
  if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr) == 0) armed_ = deadline;
}

int EventSet::poll(epoll_event (&ready)[max_events]) noexcept {
  const int count = std::max(::epoll_wait(epoll_.get(), ready, max_events, 0), 0);
  for (int i = 0; i < count; ++i) {
    if (ready[i].data.u32 != timer_id) continue;
    std::uint64_t expirations = 0;
    [[maybe_unused]] const auto size = ::read(timer_.get(), &expirations, sizeof expirations);
    armed_.reset();
  }
  return count;
}

}  // namespace portsync::os
