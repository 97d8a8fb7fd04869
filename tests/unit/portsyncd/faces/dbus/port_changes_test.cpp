// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE port_changes
#include "faces/dbus/port_changes.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "support/cpp/allocations.hpp"

using namespace portsync;
using namespace portsyncd;

namespace {

PortRecord record(const std::string& port, const std::string& oper) {
  return {port, {{"netdev_oper_status", oper}, {"mtu", "9100"}}};
}

std::string oper(const PortChanges::Record& record) {
  return record ? *find_field(*record, "netdev_oper_status") : "none";
}

struct Fixture {
  void change(const std::string& port, const std::string& before, const std::string& now) {
    const PortRecord old_row = record(port, before);
    const PortRecord new_row = record(port, now);
    changes.add(port, before == "none" ? nullptr : &old_row, now == "none" ? nullptr : &new_row);
  }
  std::vector<std::string> take(std::size_t count = 100) {
    std::vector<std::string> changes_taken;
    changes.take(count, [&changes_taken](const std::string& port, const auto& before, const auto& now) {
      changes_taken.push_back(port + " " + oper(before) + " " + oper(now));
    });
    return changes_taken;
  }

  using Lines = std::vector<std::string>;
  PortChanges changes{3};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(one_change_for_a_port_from_the_first_to_the_newest, Fixture) {
  change("Ethernet0", "none", "down");
  change("Ethernet4", "up", "down");
  change("Ethernet0", "down", "up");
  BOOST_TEST(!changes.empty());
  BOOST_TEST((take() == Lines{"Ethernet0 none up", "Ethernet4 up down"}));
  BOOST_TEST(changes.empty());
  BOOST_TEST(take().empty());
  change("Ethernet0", "up", "none");
  BOOST_TEST((take() == Lines{"Ethernet0 up none"}));
  BOOST_TEST(changes.dropped() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_row_that_is_what_it_was_is_skipped, Fixture) {
  change("Ethernet0", "up", "down");
  change("Ethernet4", "up", "down");
  change("Ethernet0", "down", "up");
  BOOST_TEST((take() == Lines{"Ethernet4 up down"}));
}

// The previous value is unknown, so there may have been a row.
BOOST_FIXTURE_TEST_CASE(a_removal_is_a_change_even_if_the_row_before_is_not_known, Fixture) {
  change("Ethernet0", "none", "none");
  BOOST_TEST((take() == Lines{"Ethernet0 none none"}));
}

BOOST_FIXTURE_TEST_CASE(the_oldest_go_first_and_no_more_than_asked_for, Fixture) {
  for (const char* port : {"Ethernet8", "Ethernet0", "Ethernet4"}) change(port, "up", "down");
  BOOST_TEST((take(2) == Lines{"Ethernet8 up down", "Ethernet0 up down"}));
  change("Ethernet8", "down", "up");
  BOOST_TEST((take(2) == Lines{"Ethernet4 up down", "Ethernet8 down up"}));
  BOOST_TEST(changes.empty());
}

BOOST_FIXTURE_TEST_CASE(what_has_no_place_is_counted, Fixture) {
  for (const char* port : {"Ethernet0", "Ethernet4", "Ethernet8", "Ethernet12"}) change(port, "up", "down");
  BOOST_TEST(changes.dropped() == 1U);
  change("Ethernet0", "down", "testing");  // Ethernet0 has a place already
  BOOST_TEST(changes.dropped() == 1U);
  BOOST_TEST((take() == Lines{"Ethernet0 up testing", "Ethernet4 up down", "Ethernet8 up down"}));
  change("Ethernet12", "down", "up");  // takes the place of a change that was taken
  BOOST_TEST((take() == Lines{"Ethernet12 down up"}));
  BOOST_TEST(changes.dropped() == 1U);
}

BOOST_FIXTURE_TEST_CASE(nothing_waits_once_cleared, Fixture) {
  change("Ethernet0", "up", "down");
  changes.clear();
  BOOST_TEST(changes.empty());
  change("Ethernet0", "down", "up");
  BOOST_TEST((take() == Lines{"Ethernet0 down up"}));
}

// Other ports wait all the time, so that the list is never empty.
BOOST_FIXTURE_TEST_CASE(a_port_that_has_changed_before_costs_no_allocation, Fixture) {
  const PortRecord up = record("Ethernet0", "up");
  const PortRecord down = record("Ethernet0", "down");
  const auto round = [&] {
    changes.add("Ethernet0", &up, &down);
    changes.add("Ethernet4", &up, &down);
    changes.take(1, [](const auto&, const auto&, const auto&) {});
  };
  for (int i = 0; i < 3; ++i) round();
  const std::size_t before = test::allocations;
  for (int i = 0; i < 1000; ++i) round();
  BOOST_TEST(test::allocations == before);
}
