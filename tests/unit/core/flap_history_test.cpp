// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE flap_history
#include "core/flap_history.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsync;
using namespace std::chrono_literals;

namespace {

const TimePoint start{1h};

LinkState link(bool running, std::optional<std::uint32_t> down_count, std::int32_t ifindex = 7) {
  LinkState link;
  link.ifindex = ifindex;
  link.name = "Ethernet0";
  link.flags = running ? 0x41U : 0x1U;
  link.carrier_down_count = down_count;
  return link;
}

struct Fixture {
  void update(const LinkState& link, Clock::duration after) { history.update(&link, start + after); }
  [[nodiscard]] FlapStatistics at(Clock::duration after) const { return history.statistics(start + after); }

  core::FlapHistory history;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_port_that_never_flapped_has_no_flaps, Fixture) {
  update(link(true, 5), 0s);
  update(link(true, 5), 10s);
  BOOST_TEST(at(10s).total == 0U);
  BOOST_TEST(at(10s).last_hour == 0U);
  BOOST_TEST(at(10s).longest_outage.count() == 0);
  BOOST_TEST(!at(10s).last_change.has_value());
}

BOOST_FIXTURE_TEST_CASE(flaps_between_two_messages_count, Fixture) {
  update(link(true, 5), 0s);
  update(link(true, 8), 10s);
  BOOST_TEST(at(10s).total == 3U);
  BOOST_TEST(at(10s).last_minute == 3U);
  BOOST_TEST((at(10s).last_change == start + 10s));
  BOOST_TEST(at(10s).longest_outage.count() == 0);  // no message reported it
}

BOOST_FIXTURE_TEST_CASE(flaps_leave_the_minute_and_then_the_hour, Fixture) {
  update(link(true, 0), 0s);
  update(link(true, 2), 1s);
  BOOST_TEST(at(59s).last_minute == 2U);
  BOOST_TEST(at(60s).last_minute == 0U);
  BOOST_TEST(at(59min).last_hour == 2U);
  BOOST_TEST(at(60min).last_hour == 0U);
  BOOST_TEST(at(60min).total == 2U);
}

BOOST_FIXTURE_TEST_CASE(the_longest_outage_is_the_longest, Fixture) {
  update(link(true, 0), 0s);
  update(link(false, 1), 10s);
  BOOST_TEST(at(12s).longest_outage.count() == 2000);  // the outage continues
  update(link(true, 1), 13s);
  update(link(false, 2), 20s);
  update(link(true, 2), 21s);
  BOOST_TEST(at(60s).longest_outage.count() == 3000);
  BOOST_TEST(at(60s).total == 2U);
  BOOST_TEST((at(60s).last_change == start + 21s));
}

BOOST_FIXTURE_TEST_CASE(a_port_that_never_ran_has_had_no_outage, Fixture) {
  update(link(false, 1), 0s);
  BOOST_TEST(at(1h).longest_outage.count() == 0);
  update(link(true, 1), 1s);
  BOOST_TEST(at(1h).longest_outage.count() == 0);
  BOOST_TEST(at(1h).total == 0U);
}

BOOST_FIXTURE_TEST_CASE(another_link_of_the_name_counts_from_its_own_beginning, Fixture) {
  update(link(true, 2), 0s);
  update(link(true, 3), 1s);
  update(link(true, 100, 8), 2s);
  BOOST_TEST(at(2s).total == 1U);
  history.update(nullptr, start + 3s);
  update(link(true, 200, 8), 4s);  // a new link with the same ifindex
  BOOST_TEST(at(4s).total == 1U);
  update(link(true, 201, 8), 5s);
  BOOST_TEST(at(5s).total == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_count_that_was_reset_is_no_flap, Fixture) {
  update(link(true, 9), 0s);
  update(link(true, 0), 1s);
  update(link(true, 1), 2s);
  BOOST_TEST(at(2s).total == 1U);
}

BOOST_FIXTURE_TEST_CASE(an_old_kernel_counts_both_ways_together, Fixture) {
  LinkState old = link(true, std::nullopt);
  old.carrier_changes = 4;
  update(old, 0s);
  old.carrier_changes = 8;
  update(old, 1s);
  BOOST_TEST(at(1s).total == 2U);
}

BOOST_FIXTURE_TEST_CASE(without_any_count_what_was_seen_counts, Fixture) {
  update(link(true, std::nullopt), 0s);
  update(link(false, std::nullopt), 1s);
  update(link(true, std::nullopt), 2s);
  update(link(false, std::nullopt), 3s);
  BOOST_TEST(at(3s).total == 2U);
}
