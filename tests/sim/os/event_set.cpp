// SPDX-License-Identifier: Apache-2.0
#include "os/event_set.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "sim/world.hpp"

namespace portsync::os {
namespace {

template <typename F>
int open(const char* call) {
  sim::World& world = sim::World::current();
  world.enter(call);
  const int fd = world.open(std::make_shared<F>());
  if (fd < 0) throw std::system_error(-fd, std::system_category(), call);
  return fd;
}

template <typename F>
F& file(int fd) {
  return static_cast<F&>(*sim::World::current().file(fd));
}

void control(int set, int operation, int fd, std::uint32_t events, std::uint32_t id, const char* what) {
  sim::World& world = sim::World::current();
  world.enter("epoll_ctl");
  epoll_event event{};
  event.events = events;
  event.data.u32 = id;
  int result = file<sim::EpollFile>(set).control(operation, fd, &event);
  if (result == 0 && operation == EPOLL_CTL_ADD && world.fails(world.faults.no_descriptor)) {
    file<sim::EpollFile>(set).control(EPOLL_CTL_DEL, fd, nullptr);
    result = -ENOMEM;
  }
  if (result < 0 && what != nullptr) throw std::system_error(-result, std::system_category(), what);
}

}  // namespace

EventSet::EventSet() : epoll_(open<sim::EpollFile>("epoll_create1")), timer_(open<sim::TimerFile>("timerfd_create")) {
  add(timer_.get(), EPOLLIN, timer_id);
}

void EventSet::add(int fd, std::uint32_t events, std::uint32_t id) {
  control(epoll_.get(), EPOLL_CTL_ADD, fd, events, id, "epoll_ctl(EPOLL_CTL_ADD)");
}

void EventSet::modify(int fd, std::uint32_t events, std::uint32_t id) {
  control(epoll_.get(), EPOLL_CTL_MOD, fd, events, id, "epoll_ctl(EPOLL_CTL_MOD)");
}

void EventSet::remove(int fd) noexcept {
  control(epoll_.get(), EPOLL_CTL_DEL, fd, 0, 0, nullptr);
}

void EventSet::arm(std::optional<TimePoint> deadline) noexcept {
  if (!deadline || (armed_ && *armed_ <= *deadline)) return;
  sim::World::current().enter("timerfd_settime");
  file<sim::TimerFile>(timer_.get()).set(std::max<sim::Time>(deadline->time_since_epoch().count(), 1));
  armed_ = deadline;
}

int EventSet::poll(epoll_event (&ready)[max_events]) noexcept {
  sim::World& world = sim::World::current();
  world.enter("epoll_wait");
  if (world.fails(world.faults.interrupted)) return 0;
  const int count = file<sim::EpollFile>(epoll_.get()).collect(ready, max_events);
  for (int i = 0; i < count; ++i) {
    if (ready[i].data.u32 != timer_id) continue;
    std::uint64_t expirations = 0;
    file<sim::TimerFile>(timer_.get()).read(&expirations, sizeof expirations);
    armed_.reset();
  }
  return count;
}

}  // namespace portsync::os
