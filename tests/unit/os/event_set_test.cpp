// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE event_set
#include "os/event_set.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <set>
#include <system_error>

#include "os/clock.hpp"

using namespace portsync;
using namespace std::chrono_literals;
using os::EventSet;

namespace {

struct Fixture {
  Fixture() { BOOST_REQUIRE(::pipe(pipe.data()) == 0); }
  ~Fixture() {
    for (const int end : pipe) ::close(end);
  }

  [[nodiscard]] bool readable(int milliseconds = 0) const {
    pollfd waiting{events.fd(), POLLIN, 0};
    return ::poll(&waiting, 1, milliseconds) > 0;
  }
  std::set<std::uint32_t> ready() {
    epoll_event found[EventSet::max_events];
    std::set<std::uint32_t> ids;
    const int count = events.poll(found);
    for (int i = 0; i < count; ++i) ids.insert(found[i].data.u32);
    return ids;
  }

  using Ids = std::set<std::uint32_t>;

  std::array<int, 2> pipe{};
  EventSet events;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_descriptor_is_watched_until_it_is_removed, Fixture) {
  BOOST_TEST(!readable());
  events.add(pipe[0], EPOLLIN, 3);
  BOOST_TEST(!readable());
  BOOST_REQUIRE(::write(pipe[1], "x", 1) == 1);
  BOOST_TEST(readable());
  BOOST_TEST((ready() == Ids{3}));
  BOOST_TEST(readable());  // level-triggered
  events.modify(pipe[0], 0, 3);
  BOOST_TEST(!readable());
  events.modify(pipe[0], EPOLLIN, 4);
  BOOST_TEST((ready() == Ids{4}));
  events.remove(pipe[0]);
  BOOST_TEST(!readable());
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_watched_is_an_error, Fixture) {
  BOOST_CHECK_THROW(events.add(-1, EPOLLIN, 1), std::system_error);
  BOOST_CHECK_THROW(events.modify(pipe[0], EPOLLIN, 1), std::system_error);
  events.add(pipe[0], EPOLLIN, 1);
  BOOST_CHECK_THROW(events.add(pipe[0], EPOLLIN, 1), std::system_error);
  events.remove(-1);  // a missing descriptor is no error
}

BOOST_FIXTURE_TEST_CASE(the_timer_makes_it_readable_once, Fixture) {
  events.arm(std::nullopt);
  BOOST_TEST(!readable());
  events.arm(os::now() + 1ms);
  BOOST_TEST(readable(10'000));
  BOOST_TEST((ready() == Ids{EventSet::timer_id}));
  BOOST_TEST(!readable());
}

BOOST_FIXTURE_TEST_CASE(a_time_that_is_past_fires_at_once_the_clock_s_start_too, Fixture) {
  events.arm(os::now() - 1h);
  BOOST_TEST(readable());
  BOOST_TEST((ready() == Ids{EventSet::timer_id}));
  events.arm(TimePoint{});
  BOOST_TEST(readable());
}

BOOST_FIXTURE_TEST_CASE(an_earlier_time_counts_and_a_later_one_is_free, Fixture) {
  events.arm(os::now() + 1h);
  events.arm(os::now());
  BOOST_TEST(readable(10'000));
  events.arm(os::now() + 1h);  // the timer fires too early, which is harmless
  BOOST_TEST(readable());
}

BOOST_FIXTURE_TEST_CASE(after_relax_a_later_time_counts_too, Fixture) {
  events.arm(os::now());
  BOOST_TEST(readable(10'000));
  events.relax();
  events.arm(os::now() + 1h);
  BOOST_TEST(!readable());
}

BOOST_FIXTURE_TEST_CASE(the_timer_and_a_descriptor_are_reported_together, Fixture) {
  events.add(pipe[0], EPOLLIN, 3);
  BOOST_REQUIRE(::write(pipe[1], "x", 1) == 1);
  events.arm(os::now() - 1s);
  BOOST_TEST((ready() == Ids{EventSet::timer_id, 3}));
}
