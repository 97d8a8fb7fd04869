// SPDX-License-Identifier: Apache-2.0
// The table of situations and verdicts. health_state_test.cpp tests when a verdict is reported.
#define BOOST_TEST_MODULE health
#include "core/health.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsync;
using namespace std::chrono_literals;
using core::TroubleKind;

namespace {

const TimePoint start{1h};

HealthReport all_is_well() {
  HealthReport report;
  report.first_snapshot = true;
  report.ports = 8;
  report.match = "Ethernet*";
  SinkReport redis;
  redis.name = "Redis at 127.0.0.1:6379";
  redis.open = true;
  report.sinks.push_back(redis);
  return report;
}

struct Fixture {
  HealthReport report = all_is_well();
  SinkReport& sink = report.sinks[0];
  HealthOptions options;
  core::Conditions conditions;
  core::RatesOver over;

  core::Judgement judge(TimePoint now = start) { return core::judge(report, conditions, options, over, now); }
  std::string verdict(TimePoint now = start) {
    const core::Trouble worst = judge(now).worst;
    return to_string(Health{core::verdict_of(worst.kind), worst.reason});
  }
  // Returns the verdict as if no rate had exceeded its limit before.
  std::string fresh() {
    over = {};
    return verdict();
  }
};

const std::string redis = "Redis at 127.0.0.1:6379";

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_quiet_switch_is_healthy_for_ever, Fixture) {
  BOOST_TEST(verdict() == "Healthy");
  BOOST_TEST(verdict(start + 24h * 365) == "Healthy");
  BOOST_TEST((!judge().next_change));
}

BOOST_FIXTURE_TEST_CASE(before_the_first_snapshot_it_is_degraded, Fixture) {
  report.first_snapshot = false;
  report.snapshot_pending = true;
  BOOST_TEST(verdict() == "Degraded: waiting for the first snapshot of the links");
}

BOOST_FIXTURE_TEST_CASE(redis_away_is_degraded_and_unhealthy_only_when_a_row_waits_too_long, Fixture) {
  sink.open = false;
  sink.error = "Connection refused";
  BOOST_TEST(verdict(start + 1h) == "Degraded: waiting for " + redis + ": Connection refused");
  sink.pending = 3;
  sink.pending_since = start;
  sink.pending_port = "Ethernet4";
  sink.behind = 3;
  BOOST_TEST(verdict(start + 10s - 1ns) == "Degraded: waiting for " + redis + ": Connection refused");
  BOOST_TEST((judge(start).next_change == start + 10s));
  BOOST_TEST((judge(start + 10s - 1ns).next_change == start + 10s));
  BOOST_TEST(verdict(start + 10s) ==
             "Unhealthy: Ethernet4 and 2 more not written to " + redis + ": Connection refused");
  BOOST_TEST(verdict(start + 10s + 1ns) == verdict(start + 10s));
  BOOST_TEST((!judge(start + 10s).next_change));
}

BOOST_FIXTURE_TEST_CASE(a_row_on_its_way_is_no_trouble_until_it_is_late, Fixture) {
  sink.pending = 1;
  sink.pending_since = start;
  sink.pending_port = "Ethernet4";
  BOOST_TEST(verdict(start + 10s - 1ns) == "Healthy");
  BOOST_TEST(verdict(start + 10s) == "Unhealthy: Ethernet4 not written to " + redis);
}

BOOST_FIXTURE_TEST_CASE(max_stall_is_an_option, Fixture) {
  options.max_stall = 3s;
  sink.pending_since = start;
  sink.pending_port = "Ethernet4";
  BOOST_TEST(verdict(start + 3s - 1ns) == "Healthy");
  BOOST_TEST(verdict(start + 3s) == "Unhealthy: Ethernet4 not written to " + redis);
}

BOOST_FIXTURE_TEST_CASE(a_refused_row_is_degraded_and_then_unhealthy_naming_it, Fixture) {
  sink.refused_since = start;
  sink.refused_port = "Ethernet8";
  sink.error = "OOM";
  BOOST_TEST(verdict(start) == "Degraded: " + redis + " refuses Ethernet8: OOM");
  BOOST_TEST(verdict(start + 10s - 1ns) == "Degraded: " + redis + " refuses Ethernet8: OOM");
  BOOST_TEST((judge(start).next_change == start + 10s));
  BOOST_TEST(verdict(start + 10s) == "Unhealthy: " + redis + " refuses Ethernet8: OOM");
}

// The row's change was read before the row was refused.
BOOST_FIXTURE_TEST_CASE(a_refused_row_that_is_late_is_reported_as_refused, Fixture) {
  sink.refused_since = start + 1s;
  sink.refused_port = sink.pending_port = "Ethernet8";
  sink.pending_since = start;
  sink.pending = 1;
  BOOST_TEST(verdict(start + 10s - 1ns) == "Degraded: " + redis + " refuses Ethernet8");
  BOOST_TEST(verdict(start + 10s) == "Unhealthy: " + redis + " refuses Ethernet8");
  sink.pending_port = "Ethernet4";
  BOOST_TEST(verdict(start + 10s) == "Unhealthy: Ethernet4 not written to " + redis);
}

BOOST_FIXTURE_TEST_CASE(a_deaf_socket_is_degraded_and_then_unhealthy, Fixture) {
  report.deaf_since = start;
  BOOST_TEST(verdict(start) == "Degraded: the netlink socket does not answer");
  BOOST_TEST(verdict(start + 10s - 1ns) == "Degraded: the netlink socket does not answer");
  BOOST_TEST((judge(start).next_change == start + 10s));
  BOOST_TEST(verdict(start + 10s) == "Unhealthy: the netlink socket does not answer");
}

BOOST_FIXTURE_TEST_CASE(a_resync_is_degraded_while_it_runs, Fixture) {
  report.snapshot_pending = true;
  report.overruns = 1;
  BOOST_TEST(verdict(start + 1h) == "Degraded: link messages were lost, reading all links again");
  report.snapshot_pending = false;
  BOOST_TEST(verdict() == "Healthy");
}

BOOST_FIXTURE_TEST_CASE(a_listing_interrupted_again_and_again_is_blamed_and_not_redis, Fixture) {
  const std::string interrupted =
      "the listing of the links was interrupted 5 times in a row: links come and go faster than they can be listed";
  report.first_snapshot = false;
  sink.open = false;
  sink.pending = 3;
  sink.pending_since = start;
  sink.pending_port = "Ethernet4";
  BOOST_TEST(verdict(start + 10s) == "Unhealthy: Ethernet4 and 2 more not written: waiting for the first snapshot");
  report.interrupted_in_a_row = 5;
  BOOST_TEST(verdict(start + 9s) == "Degraded: " + interrupted);
  BOOST_TEST(verdict(start + 10s) == "Unhealthy: Ethernet4 and 2 more not written: " + interrupted);
  sink.error = "Connection refused";  // Redis has a trouble too
  BOOST_TEST(verdict(start + 10s) ==
             "Unhealthy: Ethernet4 and 2 more not written to " + redis + ": Connection refused");
  // After a loss of notifications.
  report = all_is_well();
  report.snapshot_pending = true;
  report.interrupted_in_a_row = 2;
  BOOST_TEST(verdict() == "Degraded: link messages were lost, reading all links again");
  report.interrupted_in_a_row = 5;
  BOOST_TEST(verdict() == "Degraded: " + interrupted);
}

BOOST_FIXTURE_TEST_CASE(a_listing_that_the_kernel_does_not_answer_is_degraded_in_its_own_words, Fixture) {
  report.listing_silent_since = start;
  BOOST_TEST(verdict(start + 1s - 1ns) == "Healthy");
  BOOST_TEST((judge(start).next_change == start + 1s));
  BOOST_TEST(verdict(start + 1s) ==
             "Degraded: the kernel does not answer the listing of the links: another process holds the rtnl lock");
}

BOOST_FIXTURE_TEST_CASE(counters_are_no_trouble, Fixture) {
  report.overruns = report.resyncs = report.drift_repaired = 1'000'000;
  BOOST_TEST(verdict() == "Healthy");
}

BOOST_FIXTURE_TEST_CASE(rows_left_alone_are_reported_with_the_pattern, Fixture) {
  report.rows_left_alone = 7;
  BOOST_TEST(verdict() ==
             "Degraded: no netdev matches Ethernet*, 7 rows left alone: correct ports.match, or portsyncctl resync "
             "--force removes them");
}

BOOST_FIXTURE_TEST_CASE(no_port_where_there_was_one_is_degraded_once_it_lasts, Fixture) {
  report.ports = 0;
  BOOST_TEST(verdict() == "Healthy");  // there never was a port
  report.no_port_since = start;
  BOOST_TEST(verdict(start + 1s - 1ns) == "Healthy");  // another port may appear soon
  BOOST_TEST((judge(start).next_change == start + 1s));
  BOOST_TEST(verdict(start + 1s) ==
             "Degraded: no netdev matches Ethernet* any more: look at ip -br link, or portsyncctl resync --force if "
             "that is meant");
}

BOOST_FIXTURE_TEST_CASE(rows_that_cannot_be_read_back_are_degraded_at_once_in_the_servers_words, Fixture) {
  sink.compared = start;
  sink.compare_error = "NOPERM no permission to run 'hmget'";
  report.audit_interval = 60s;
  BOOST_TEST(verdict() == "Degraded: rows in " + redis + " cannot be compared: NOPERM no permission to run 'hmget'");
  sink.open = false;  // this is the more useful reason
  BOOST_TEST(verdict() == "Degraded: waiting for " + redis);
}

BOOST_FIXTURE_TEST_CASE(rows_that_have_not_been_compared_for_the_audit_interval_are_never_healthy, Fixture) {
  sink.compared = start;
  report.audit_interval = 60s;
  BOOST_TEST(verdict(start + 61s - 1ns) == "Healthy");
  BOOST_TEST((judge(start).next_change == start + 61s));
  BOOST_TEST(verdict(start + 61s) == "Degraded: rows in " + redis + " could not be compared for 61 s");
  BOOST_TEST(judge(start + 61s).worst.subject == judge(start + 90s).worst.subject);  // only the number differs
  report.audit_interval = 0s;                                                        // audits are off
  BOOST_TEST(verdict(start + 24h) == "Healthy");
  report.audit_interval = 60s;
  sink.compared.reset();  // a sink that cannot be read
  BOOST_TEST(verdict(start + 24h) == "Healthy");
}

// Rows are compared with what is known of the links.
BOOST_FIXTURE_TEST_CASE(links_that_have_not_been_listed_for_the_audit_interval_are_never_healthy, Fixture) {
  report.links_listed = start;
  report.audit_interval = 60s;
  BOOST_TEST(verdict(start + 61s - 1ns) == "Healthy");
  BOOST_TEST((judge(start).next_change == start + 61s));
  BOOST_TEST(verdict(start + 61s) == "Degraded: the links could not be listed for 61 s");
  BOOST_TEST(judge(start + 61s).worst.subject == judge(start + 90s).worst.subject);  // only the number differs
  sink.compared = start;
  BOOST_TEST(verdict(start + 61s) == "Degraded: the links could not be listed for 61 s");
  sink.compared.reset();
  report.audit_interval = 0s;  // audits are off
  BOOST_TEST(verdict(start + 24h) == "Healthy");
}

BOOST_FIXTURE_TEST_CASE(more_failures_than_min_success_rate_leaves_room_for_are_degraded, Fixture) {
  sink.writes = 100;
  sink.failures = 1;
  BOOST_TEST(fresh() == "Healthy");
  sink.writes = 1000;
  sink.failures = 10;
  BOOST_TEST(fresh() == "Healthy");
  sink.failures = 11;
  BOOST_TEST(fresh() ==
             "Degraded: 11 of 1000 writes to " + redis + " were refused in the last minute, 99 % must succeed");
  options.min_success_rate = 99.9;  // 100 - 99.9 is a little less than 0.1
  sink.failures = 1;
  BOOST_TEST(fresh() == "Healthy");
  sink.failures = 2;
  BOOST_TEST(fresh() ==
             "Degraded: 2 of 1000 writes to " + redis + " were refused in the last minute, 99.9 % must succeed");
  options.min_success_rate = 100;
  sink.failures = 0;
  BOOST_TEST(fresh() == "Healthy");
  sink.failures = 1;
  BOOST_TEST(fresh() ==
             "Degraded: 1 of 1000 writes to " + redis + " were refused in the last minute, 100 % must succeed");
}

BOOST_FIXTURE_TEST_CASE(more_failures_than_max_failure_rate_are_unhealthy, Fixture) {
  sink.writes = 1000;
  sink.failures = 50;
  BOOST_TEST(fresh().rfind("Degraded: 50 of 1000", 0) == 0U);
  sink.failures = 51;
  BOOST_TEST(fresh() == "Unhealthy: 51 of 1000 writes to " + redis + " were refused in the last minute, limit 5 %");
  options.max_failure_rate = 100;
  sink.failures = 1000;
  BOOST_TEST(fresh().rfind("Degraded: 1000 of 1000", 0) == 0U);
}

BOOST_FIXTURE_TEST_CASE(fewer_than_20_writes_are_no_rate, Fixture) {
  sink.writes = sink.failures = 19;
  BOOST_TEST(fresh() == "Healthy");
  sink.writes = sink.failures = 20;
  BOOST_TEST(fresh().rfind("Unhealthy: 20 of 20 writes", 0) == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_failure_rate_ends_when_it_is_clearly_back, Fixture) {
  sink.writes = 1000;
  sink.failures = 51;
  BOOST_TEST(verdict().rfind("Unhealthy: 51", 0) == 0U);
  sink.failures = 46;
  BOOST_TEST(verdict().rfind("Unhealthy: 46", 0) == 0U);
  sink.failures = 45;
  BOOST_TEST(verdict().rfind("Degraded: 45", 0) == 0U);
  sink.failures = 10;
  BOOST_TEST(verdict().rfind("Degraded: 10", 0) == 0U);
  sink.failures = 9;
  BOOST_TEST(verdict() == "Healthy");
  sink.failures = 10;
  BOOST_TEST(verdict() == "Healthy");
  sink.failures = 51;
  BOOST_TEST(verdict().rfind("Unhealthy: 51", 0) == 0U);
  sink.writes = 19;  // the minute has passed
  BOOST_TEST(verdict() == "Healthy");
}

BOOST_FIXTURE_TEST_CASE(p99_over_max_latency_is_degraded_until_it_is_clearly_back, Fixture) {
  report.latency_samples = 20;
  report.latency_p99_us = 10'000;
  BOOST_TEST(verdict() == "Healthy");
  report.latency_p99_us = 10'001;
  BOOST_TEST(verdict() == "Degraded: p99 latency 10001 us in the last minute, limit 10000 us");
  report.latency_p99_us = 9001;
  BOOST_TEST(verdict() == "Degraded: p99 latency 9001 us in the last minute, limit 10000 us");
  report.latency_p99_us = 9000;
  BOOST_TEST(verdict() == "Healthy");
  report.latency_p99_us = 9001;
  BOOST_TEST(verdict() == "Healthy");
  report.latency_p99_us = 1'000'000;
  report.latency_samples = 19;
  BOOST_TEST(verdict() == "Healthy");
}

BOOST_FIXTURE_TEST_CASE(a_sync_rate_below_its_minimum_is_degraded_until_it_is_clearly_back, Fixture) {
  report.ports = 1000;
  sink.behind = 100;
  BOOST_TEST(verdict() == "Healthy");
  sink.behind = 101;
  BOOST_TEST(verdict() == "Degraded: 899 of 1000 rows in " + redis + " equal the kernel, 90 % must");
  sink.behind = 91;
  BOOST_TEST(verdict() == "Degraded: 909 of 1000 rows in " + redis + " equal the kernel, 90 % must");
  sink.behind = 90;
  BOOST_TEST(verdict() == "Healthy");
  sink.behind = 2000;  // more ports are behind than exist: the count of equal rows stops at 0
  BOOST_TEST(verdict() == "Degraded: 0 of 1000 rows in " + redis + " equal the kernel, 90 % must");
  report.ports = 0;
  BOOST_TEST(verdict() == "Healthy");
}

BOOST_FIXTURE_TEST_CASE(a_flood_in_which_each_row_waits_for_a_millisecond_is_healthy, Fixture) {
  for (int second = 0; second < 3600; ++second) {
    const TimePoint now = start + second * 1s;
    sink.pending = 8;
    sink.pending_since = now - 1ms;
    sink.pending_port = "Ethernet0";
    sink.writes = 1'000'000;
    report.latency_samples = 1'000'000;
    report.latency_p99_us = 1000;
    BOOST_TEST_REQUIRE(verdict(now) == "Healthy");
  }
}

BOOST_FIXTURE_TEST_CASE(the_worst_trouble_wins_and_of_equals_the_first_cause, Fixture) {
  report.deaf_since = start;
  report.first_snapshot = false;
  report.rows_left_alone = 1;
  sink.open = false;
  sink.refused_since = sink.pending_since = start;
  sink.refused_port = "Ethernet8";
  sink.pending_port = "Ethernet4";
  sink.writes = sink.failures = 1000;
  report.latency_samples = report.latency_p99_us = 1'000'000;
  sink.behind = 8;
  const auto kind = [this](TimePoint now) { return static_cast<int>(judge(now).worst.kind); };
  const auto is = [](TroubleKind expected) { return static_cast<int>(expected); };
  const TimePoint late = start + 10s;
  BOOST_TEST(kind(late) == is(TroubleKind::deaf_too_long));
  report.deaf_since = late;
  BOOST_TEST(kind(late) == is(TroubleKind::refused_too_long));
  sink.refused_since = late;
  BOOST_TEST(kind(late) == is(TroubleKind::pending_too_long));
  sink.pending_since = late;
  BOOST_TEST(kind(late) == is(TroubleKind::too_many_failures));
  options.max_failure_rate = 100;
  over = {};
  BOOST_TEST(kind(late) == is(TroubleKind::deaf));
  report.deaf_since.reset();
  BOOST_TEST(kind(late) == is(TroubleKind::no_snapshot));
  report.first_snapshot = report.snapshot_pending = true;
  BOOST_TEST(kind(late) == is(TroubleKind::resync));
  report.snapshot_pending = false;
  BOOST_TEST(kind(late) == is(TroubleKind::not_open));
  sink.open = true;
  BOOST_TEST(kind(late) == is(TroubleKind::left_alone));
  report.rows_left_alone = 0;
  BOOST_TEST(kind(late) == is(TroubleKind::refused));
  sink.refused_since.reset();
  BOOST_TEST(kind(late) == is(TroubleKind::failures));
  sink.failures = 0;
  BOOST_TEST(kind(late) == is(TroubleKind::latency));
  report.latency_samples = 0;
  BOOST_TEST(kind(late) == is(TroubleKind::sync_rate));
  sink.behind = 0;
  BOOST_TEST(kind(late) == is(TroubleKind::none));
}

BOOST_FIXTURE_TEST_CASE(of_several_sinks_the_one_in_trouble_is_named, Fixture) {
  SinkReport other;
  other.name = "file";
  other.open = true;
  other.writes = 100;
  other.failures = 50;
  other.behind = 8;
  report.sinks.push_back(other);
  BOOST_TEST(verdict() == "Unhealthy: 50 of 100 writes to file were refused in the last minute, limit 5 %");
  report.sinks[1].writes = 0;
  BOOST_TEST(verdict() == "Degraded: 0 of 8 rows in file equal the kernel, 90 % must");
}

BOOST_FIXTURE_TEST_CASE(without_a_sink_there_is_no_rate, Fixture) {
  report.sinks.clear();
  options.min_sync_rate = options.min_success_rate = 200;
  BOOST_TEST(verdict() == "Healthy");
}

BOOST_FIXTURE_TEST_CASE(a_condition_is_reported_as_it_is, Fixture) {
  conditions["writer"] = {Verdict::degraded, "another portsyncd writes the same rows"};
  BOOST_TEST(verdict() == "Degraded: another portsyncd writes the same rows");
  conditions["writer"] = {Verdict::healthy, ""};
  BOOST_TEST(verdict() == "Healthy");
}

BOOST_FIXTURE_TEST_CASE(a_bad_condition_is_worse_than_anything, Fixture) {
  conditions["data"] = {Verdict::unhealthy, "Redis lost its data"};
  conditions["writer"] = {Verdict::degraded, "another portsyncd"};
  report.deaf_since = start - 1h;
  BOOST_TEST(verdict() == "Unhealthy: Redis lost its data");
}

BOOST_FIXTURE_TEST_CASE(a_condition_says_why_there_is_no_snapshot_yet, Fixture) {
  report.first_snapshot = false;
  conditions["ports"] = {Verdict::degraded, "waiting for CONFIG_DB"};
  BOOST_TEST(verdict() == "Degraded: waiting for CONFIG_DB");
}

BOOST_FIXTURE_TEST_CASE(a_trouble_of_the_store_is_degraded_though_no_row_fails, Fixture) {
  sink.trouble = "the index cannot be kept, PORT_TABLE: NOPERM";
  BOOST_TEST(verdict() == "Degraded: " + redis + ": the index cannot be kept, PORT_TABLE: NOPERM");
  sink.open = false;
  sink.error = "Connection refused";
  BOOST_TEST(verdict() == "Degraded: waiting for " + redis + ": Connection refused");
}
