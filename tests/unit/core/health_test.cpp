// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE health
#include "core/health.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsync;
using namespace std::chrono_literals;

namespace {

const TimePoint start{1h};
const DeadlineHealthOptions options{10s};

HealthReport all_is_well() {
  HealthReport report;
  report.first_snapshot = true;
  report.ports = 8;
  report.match = "Ethernet*";
  report.sinks.push_back({"Redis at 127.0.0.1:6379", true, "", 0, {}, "", {}, ""});
  return report;
}

std::string verdict(const HealthReport& report, TimePoint now = start) {
  return to_string(core::judge(report, options, now).health);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_quiet_switch_is_healthy_for_ever) {
  BOOST_TEST(verdict(all_is_well()) == "Healthy");
  BOOST_TEST(verdict(all_is_well(), start + 24h * 365) == "Healthy");
  BOOST_TEST((!core::judge(all_is_well(), options, start).next_change));
}

BOOST_AUTO_TEST_CASE(before_the_first_snapshot_it_is_degraded) {
  HealthReport report = all_is_well();
  report.first_snapshot = false;
  BOOST_TEST(verdict(report) == "Degraded: waiting for the first snapshot of the links");
}

BOOST_AUTO_TEST_CASE(redis_away_is_degraded_and_unhealthy_only_when_a_row_waits_too_long) {
  HealthReport report = all_is_well();
  report.sinks[0].open = false;
  report.sinks[0].error = "Connection refused";
  BOOST_TEST(verdict(report, start + 1h) == "Degraded: waiting for Redis at 127.0.0.1:6379: Connection refused");
  report.sinks[0].pending = 3;
  report.sinks[0].pending_since = start;
  report.sinks[0].pending_port = "Ethernet4";
  BOOST_TEST(verdict(report, start + 10s - 1ns) == "Degraded: waiting for Redis at 127.0.0.1:6379: Connection refused");
  BOOST_TEST((core::judge(report, options, start).next_change == start + 10s));
  BOOST_TEST(verdict(report, start + 10s) ==
             "Unhealthy: Ethernet4 and 2 more not written to Redis at 127.0.0.1:6379: Connection refused");
  BOOST_TEST((!core::judge(report, options, start + 10s).next_change));
}

BOOST_AUTO_TEST_CASE(a_row_on_its_way_is_no_trouble_until_it_is_late) {
  HealthReport report = all_is_well();
  report.sinks[0].pending = 1;
  report.sinks[0].pending_since = start;
  report.sinks[0].pending_port = "Ethernet4";
  BOOST_TEST(verdict(report, start + 9s) == "Healthy");
  BOOST_TEST(verdict(report, start + 10s) == "Unhealthy: Ethernet4 not written to Redis at 127.0.0.1:6379");
}

BOOST_AUTO_TEST_CASE(a_refused_row_is_degraded_and_then_unhealthy_naming_it) {
  HealthReport report = all_is_well();
  report.sinks[0].refused_since = start;
  report.sinks[0].refused_port = "Ethernet8";
  report.sinks[0].error = "OOM";
  BOOST_TEST(verdict(report, start + 1s) == "Degraded: Redis at 127.0.0.1:6379 refuses Ethernet8: OOM");
  BOOST_TEST(verdict(report, start + 10s) == "Unhealthy: Redis at 127.0.0.1:6379 refuses Ethernet8: OOM");
}

BOOST_AUTO_TEST_CASE(a_deaf_socket_is_degraded_and_then_unhealthy) {
  HealthReport report = all_is_well();
  report.deaf_since = start;
  BOOST_TEST(verdict(report, start + 1s) == "Degraded: the netlink socket does not answer");
  BOOST_TEST(verdict(report, start + 10s) == "Unhealthy: the netlink socket does not answer");
}

BOOST_AUTO_TEST_CASE(a_resync_is_degraded_while_it_runs) {
  HealthReport report = all_is_well();
  report.snapshot_pending = true;
  BOOST_TEST(verdict(report) == "Degraded: link messages were lost, reading all links again");
}

BOOST_AUTO_TEST_CASE(rows_left_alone_are_told_with_the_pattern) {
  HealthReport report = all_is_well();
  report.rows_left_alone = 7;
  BOOST_TEST(verdict(report) == "Degraded: no netdev matches Ethernet*, 7 rows left alone");
}

BOOST_AUTO_TEST_CASE(the_worst_trouble_wins_and_of_equals_the_first) {
  HealthReport report = all_is_well();
  report.deaf_since = start;
  report.snapshot_pending = true;
  report.sinks[0].refused_since = start - 10s;
  report.sinks[0].refused_port = "Ethernet8";
  BOOST_TEST(verdict(report, start + 1s).rfind("Unhealthy: Redis", 0) == 0U);
  BOOST_TEST(verdict(report, start + 10s) == "Unhealthy: the netlink socket does not answer");
}
