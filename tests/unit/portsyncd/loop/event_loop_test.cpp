// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE event_loop
#include "loop/event_loop.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace portsyncd;
using namespace std::chrono_literals;

namespace {

struct Pipe {
  Pipe() { BOOST_REQUIRE(::pipe(ends.data()) == 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(ends[0]);
    close_writer();
  }
  void write() const { BOOST_REQUIRE(::write(ends[1], "x", 1) == 1); }
  void read() const {
    char byte = 0;
    BOOST_REQUIRE(::read(ends[0], &byte, 1) == 1);
  }
  void close_writer() { ::close(std::exchange(ends[1], -1)); }

  std::array<int, 2> ends{};
};

struct Fixture {
  // Ends the loop with status 99 if a test takes too long.
  Fixture() {
    loop.after(10s, [this] { loop.exit(99); });
  }
  EventLoop loop;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_signal_names_its_sender, Fixture) {
  EventLoop::Sender from{-1, -1};
  loop.on_signal(SIGUSR2, [&](const EventLoop::Sender& sender) {
    from = sender;
    loop.exit(1);
  });
  BOOST_REQUIRE(::kill(::getpid(), SIGUSR2) == 0);
  BOOST_TEST(loop.run() == 1);
  BOOST_TEST(from.uid == ::getuid());
  BOOST_TEST(from.pid == ::getpid());
}

BOOST_FIXTURE_TEST_CASE(a_watch_reports_the_events, Fixture) {
  Pipe pipe;
  std::uint32_t reported = 0;
  const EventLoop::Watch watch(loop, pipe.ends[0], EPOLLIN, [&](std::uint32_t events) {
    reported |= events;
    if ((events & EPOLLHUP) != 0) return loop.exit(1);
    pipe.read();
    pipe.close_writer();
  });
  pipe.write();
  BOOST_TEST(loop.run() == 1);
  BOOST_TEST((reported & EPOLLIN) != 0U);
  BOOST_TEST((reported & EPOLLHUP) != 0U);
}

BOOST_FIXTURE_TEST_CASE(a_watch_can_wait_for_something_else, Fixture) {
  Pipe pipe;
  pipe.write();
  int calls = 0;
  EventLoop::Watch watch(loop, pipe.ends[0], 0, [&](std::uint32_t) {
    ++calls;
    loop.exit(1);
  });
  loop.after(30ms, [&] {
    BOOST_TEST(calls == 0);
    watch.set_events(EPOLLIN);
  });
  BOOST_TEST(loop.run() == 1);
  BOOST_TEST(calls == 1);
}

BOOST_FIXTURE_TEST_CASE(a_watch_may_end_in_its_own_handler_and_in_anothers, Fixture) {
  Pipe first;
  Pipe second;
  std::unique_ptr<EventLoop::Watch> a;
  std::unique_ptr<EventLoop::Watch> b;
  int calls = 0;
  const auto on_ready = [&, big = std::array<int, 64>{}](std::uint32_t) {  // too large for std::function's own buffer
    ++calls;
    a.reset();
    b.reset();
    BOOST_TEST(big[63] == 0);
  };
  a = std::make_unique<EventLoop::Watch>(loop, first.ends[0], EPOLLIN, on_ready);
  b = std::make_unique<EventLoop::Watch>(loop, second.ends[0], EPOLLIN, on_ready);
  first.write();
  second.write();
  loop.after(50ms, [&] { loop.exit(1); });
  BOOST_TEST(loop.run() == 1);
  BOOST_TEST(calls == 1);
}

BOOST_FIXTURE_TEST_CASE(the_descriptor_may_be_used_again_when_its_watch_has_gone, Fixture) {
  std::optional<Pipe> pipe(std::in_place);
  std::optional<EventLoop::Watch> watch(std::in_place, loop, pipe->ends[0], EPOLLIN, [](std::uint32_t) {});
  watch.reset();
  pipe.reset();
  pipe.emplace();
  watch.emplace(loop, pipe->ends[0], EPOLLIN, [&](std::uint32_t) { loop.exit(1); });
  pipe->write();
  BOOST_TEST(loop.run() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_timer_fires_once_for_each_start, Fixture) {
  int calls = 0;
  EventLoop::Timer timer(loop, [&] { ++calls; });
  timer.start(1ms);
  loop.after(50ms, [&] {
    BOOST_TEST(calls == 1);
    timer.start(1ms);
  });
  loop.after(100ms, [&] { loop.exit(1); });
  BOOST_TEST(loop.run() == 1);
  BOOST_TEST(calls == 2);
}

BOOST_FIXTURE_TEST_CASE(a_later_call_needs_no_descriptor, Fixture) {
  loop.after(0ms, [this] {
    rlimit limit{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const rlimit none{0, limit.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    loop.after(2ms, [this] { loop.exit(1); });
    loop.after(1ms, [this, limit] {
      BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
      loop.after(0ms, [] {});
    });
  });
  BOOST_TEST(loop.run() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_short_timer_is_not_late, Fixture) {
  using Clock = std::chrono::steady_clock;
  std::vector<Clock::duration> times;
  Clock::time_point started;
  EventLoop::Timer timer(loop, [&] {
    times.push_back(Clock::now() - started);
    if (times.size() == 60) return loop.exit(1);
    started = Clock::now();
    timer.start(1ms);
  });
  started = Clock::now();
  timer.start(1ms);
  BOOST_TEST(loop.run() == 1);
  std::sort(times.begin(), times.end());
  BOOST_TEST((times.front() >= 1ms));
  BOOST_TEST((times.at(times.size() / 3) < 5ms));  // only a third, because the machine may be busy
}

BOOST_FIXTURE_TEST_CASE(a_timer_is_as_long_as_it_was_asked_for_when_its_handler_took_long, Fixture) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point started;
  EventLoop::Timer timer(loop, [&] {
    BOOST_TEST((Clock::now() - started >= 20ms));
    loop.exit(1);
  });
  loop.after(1ms, [&] {
    for (const auto begun = Clock::now(); Clock::now() - begun < 20ms;) continue;
    started = Clock::now();
    timer.start(20ms);
  });
  BOOST_TEST(loop.run() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_timer_that_was_stopped_does_not_fire, Fixture) {
  EventLoop::Timer timer(loop, [] { BOOST_ERROR("it fired"); });
  timer.start(5ms);
  timer.stop();
  loop.after(50ms, [&] { loop.exit(1); });
  BOOST_TEST(loop.run() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_timer_may_end_in_its_own_handler, Fixture) {
  std::unique_ptr<EventLoop::Timer> timer;
  timer = std::make_unique<EventLoop::Timer>(loop, [&, big = std::array<int, 64>{}] {
    timer.reset();
    loop.exit(1 + big[63]);
  });
  timer->start(1ms);
  BOOST_TEST(loop.run() == 1);
}

BOOST_FIXTURE_TEST_CASE(what_a_handler_throws_comes_out_of_run, Fixture) {
  Pipe pipe;
  const EventLoop::Watch watch(loop, pipe.ends[0], EPOLLIN, [](std::uint32_t) { throw std::runtime_error("so"); });
  pipe.write();
  BOOST_CHECK_THROW((void)loop.run(), std::runtime_error);
}
