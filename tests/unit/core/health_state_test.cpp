// SPDX-License-Identifier: Apache-2.0
// When a verdict is reported, and what the history keeps of it.
#define BOOST_TEST_MODULE health_state
#include "core/health_state.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

using namespace portsync;
using namespace std::chrono_literals;

namespace {

HealthReport all_is_well() {
  HealthReport report;
  report.first_snapshot = true;
  report.ports = 8;
  report.match = "Ethernet*";
  report.sinks.emplace_back();
  report.sinks[0].name = "store";
  report.sinks[0].open = true;
  return report;
}

// `reported` contains the reports to a listener.
struct Fixture {
  HealthReport report = all_is_well();
  SinkReport& sink = report.sinks[0];
  core::HealthState state{HealthOptions{}};
  TimePoint now{1h};
  std::vector<std::string> reported;

  // Judges the current report, after some time.
  void after(std::chrono::nanoseconds time) {
    state.set_report(report);
    wait(time);
  }
  // Judges again after some time, without a new report.
  void wait(std::chrono::nanoseconds time) {
    now += time;
    judge();
  }
  void judge() {
    const std::string before = to_string(state.health());
    const auto changed = state.judge(now, std::chrono::system_clock::time_point{now.time_since_epoch()});
    BOOST_TEST(changed.has_value() == (before != to_string(state.health())));
    if (!changed) return;
    BOOST_TEST(to_string(*changed) == before);
    reported.push_back(to_string(state.health()));
  }
  [[nodiscard]] std::string health() const { return to_string(state.health()); }
  void begin_healthy() {
    after(0s);
    BOOST_REQUIRE(health() == "Healthy");
    reported.clear();
  }
  void row_waits(std::chrono::nanoseconds age = 0s) {
    sink.pending = 1;
    sink.pending_since = now - age;
    sink.pending_port = "Ethernet4";
  }
  void row_is_written() {
    sink.pending = 0;
    sink.pending_since.reset();
  }
};

using Lines = std::vector<std::string>;
const std::string stuck = "Unhealthy: Ethernet4 not written to store";
const std::string away = "Degraded: waiting for store";

}  // namespace

BOOST_FIXTURE_TEST_CASE(it_begins_degraded, Fixture) {
  BOOST_TEST(health() == "Degraded: starting");
  BOOST_TEST(state.history().empty());
}

BOOST_FIXTURE_TEST_CASE(until_the_first_healthy_everything_is_reported_at_once, Fixture) {
  report.first_snapshot = false;
  after(0s);
  report.first_snapshot = true;
  sink.open = false;
  row_waits(10s);
  after(1ns);
  row_is_written();
  after(1ns);
  sink.open = true;
  after(1ns);
  BOOST_TEST(reported == (Lines{"Degraded: waiting for the first snapshot of the links", stuck, away, "Healthy"}));
}

BOOST_FIXTURE_TEST_CASE(a_quiet_hour_is_healthy_without_a_wake_up, Fixture) {
  begin_healthy();
  BOOST_TEST((!state.next_change()));
  wait(1h);
  BOOST_TEST(reported.empty());
  BOOST_TEST((!state.next_change()));
}

BOOST_FIXTURE_TEST_CASE(a_flood_is_healthy, Fixture) {
  begin_healthy();
  for (int second = 0; second < 3600; ++second) {
    row_waits(1ms);
    after(1s);
  }
  BOOST_TEST(reported.empty());
}

BOOST_FIXTURE_TEST_CASE(worse_is_reported_at_once_and_better_when_it_has_lasted, Fixture) {
  begin_healthy();
  sink.open = false;
  after(1ns);
  BOOST_TEST(reported == Lines{away});
  BOOST_TEST((!state.next_change()));
  sink.open = true;
  after(1h);
  BOOST_TEST((state.next_change() == now + 1s));
  wait(1s - 1ns);
  BOOST_TEST(reported == Lines{away});
  BOOST_TEST((state.next_change() == now + 1ns));
  wait(1ns);
  BOOST_TEST(reported == (Lines{away, "Healthy"}));
  BOOST_TEST((!state.next_change()));
}

BOOST_FIXTURE_TEST_CASE(a_trouble_that_comes_and_goes_is_reported_once, Fixture) {
  begin_healthy();
  for (int i = 0; i < 100; ++i) {
    sink.open = false;
    after(1ms);
    sink.open = true;
    after(1ms);
    wait(999ms);
  }
  BOOST_TEST(reported == Lines{away});
  wait(1ms);
  BOOST_TEST(reported == (Lines{away, "Healthy"}));
}

BOOST_FIXTURE_TEST_CASE(a_stuck_sink_is_degraded_then_unhealthy_naming_the_row_and_then_healthy, Fixture) {
  begin_healthy();
  row_waits();
  after(0s);
  sink.open = false;
  after(1s);
  BOOST_TEST(reported == Lines{away});
  BOOST_TEST((state.next_change() == now + 9s));
  wait(9s - 1ns);
  BOOST_TEST(reported == Lines{away});
  wait(1ns);
  BOOST_TEST(reported == (Lines{away, stuck}));
  row_is_written();
  after(1s);  // degraded for a moment: not reported, because it ends too soon
  sink.open = true;
  after(1ms);
  wait(1s - 1ns);
  BOOST_TEST(reported == (Lines{away, stuck}));
  wait(1ns);
  BOOST_TEST(reported == (Lines{away, stuck, "Healthy"}));
}

BOOST_FIXTURE_TEST_CASE(unhealthy_ends_though_what_is_left_comes_and_goes, Fixture) {
  begin_healthy();
  row_waits(10s);
  after(0s);
  row_is_written();
  for (int i = 0; i < 4; ++i) {
    sink.open = i % 2 != 0;
    after(400ms);
  }
  BOOST_TEST(reported == Lines{stuck});
  sink.open = false;
  after(1ns);  // no verdict of the last 1.2 s was worse than this one
  BOOST_TEST(reported == (Lines{stuck, away}));
  sink.open = true;
  after(1ms);
  wait(1s);
  BOOST_TEST(reported == (Lines{stuck, away, "Healthy"}));
}

BOOST_FIXTURE_TEST_CASE(an_earlier_cause_is_reported_at_once_and_a_later_one_when_it_has_lasted, Fixture) {
  begin_healthy();
  const std::string slow = "Degraded: p99 latency 20000 us in the last minute, limit 10000 us";
  const std::string lost = "Degraded: link messages were lost, reading all links again";
  report.latency_samples = 20;
  report.latency_p99_us = 20'000;
  after(1s);
  report.snapshot_pending = true;
  after(1s);
  BOOST_TEST(reported == (Lines{slow, lost}));
  report.snapshot_pending = false;
  after(1s);
  wait(1s - 1ns);
  BOOST_TEST(reported == (Lines{slow, lost}));
  wait(1ns);
  BOOST_TEST(reported == (Lines{slow, lost, slow}));
}

BOOST_FIXTURE_TEST_CASE(another_row_is_reported_at_once_and_other_numbers_once_a_minute, Fixture) {
  begin_healthy();
  row_waits(10s);
  after(0s);
  for (std::size_t others = 1; others < 60; ++others) {
    sink.pending = 1 + others;
    after(1s);
  }
  BOOST_TEST(reported == Lines{stuck});
  wait(1s - 1ns);
  BOOST_TEST(reported == Lines{stuck});
  wait(1ns);
  BOOST_TEST(reported == (Lines{stuck, "Unhealthy: Ethernet4 and 59 more not written to store"}));
  BOOST_TEST(state.history().size() == 2U);  // the first is from the start; a changed number is no transition
  BOOST_TEST(state.history().back().now.reason == "Ethernet4 and 59 more not written to store");
  BOOST_TEST((state.history().back().when == now - 60s));
  sink.pending_port = "Ethernet8";
  after(1ns);
  BOOST_TEST(reported.back() == "Unhealthy: Ethernet8 and 59 more not written to store");
  BOOST_TEST(state.history().size() == 3U);
  BOOST_TEST((state.history().back().before == state.history().at(1).now));
}

BOOST_FIXTURE_TEST_CASE(a_rate_that_hovers_at_its_limit_does_not_flap, Fixture) {
  begin_healthy();
  report.latency_samples = 1000;
  for (int i = 0; i < 50; ++i) {
    report.latency_p99_us = i % 2 == 0 ? 10'001 : 9900;
    after(1s);
  }
  BOOST_TEST(reported == Lines{"Degraded: p99 latency 10001 us in the last minute, limit 10000 us"});
  report.latency_p99_us = 9000;
  after(1s);
  wait(1s);
  BOOST_TEST(reported.back() == "Healthy");
  BOOST_TEST(reported.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(other_options_count_from_now_on, Fixture) {
  begin_healthy();
  report.latency_samples = 1000;
  report.latency_p99_us = 9500;
  after(1s);
  HealthOptions options;
  options.max_latency = 9400us;
  state.set_options(options);
  judge();
  BOOST_TEST(health() == "Degraded: p99 latency 9500 us in the last minute, limit 9400 us");
  options.max_latency = 9500us;  // not above this limit; that it was above the other one does not matter
  options.settle_time = 0s;
  state.set_options(options);
  judge();
  BOOST_TEST(health() == "Healthy");
  row_waits();
  after(0s);
  options.max_stall = 3s;
  state.set_options(options);
  judge();
  BOOST_TEST((state.next_change() == now + 3s));
  wait(3s);
  BOOST_TEST(health() == stuck);
}

BOOST_FIXTURE_TEST_CASE(history_has_the_last_100_transitions_oldest_first, Fixture) {
  begin_healthy();
  BOOST_REQUIRE(state.history().size() == 1U);
  BOOST_TEST((state.history()[0].before == Health{Verdict::degraded, "starting"}));
  BOOST_TEST((state.history()[0].now == Health{Verdict::healthy, ""}));
  for (int i = 0; i < 75; ++i) {
    sink.open = false;
    sink.error = std::to_string(i);
    after(1s);
    sink.open = true;
    after(0s);
    wait(1s);
  }
  const std::vector<HealthTransition> history = state.history();
  BOOST_REQUIRE(history.size() == 100U);
  BOOST_TEST(history[0].now.reason == "waiting for store: 25");
  BOOST_TEST(history[98].now.reason == "waiting for store: 74");
  BOOST_TEST((history[99].now == Health{Verdict::healthy, ""}));
  BOOST_TEST((history[99].when == now));
  BOOST_TEST((history[99].time.time_since_epoch() == now.time_since_epoch()));
  for (std::size_t i = 1; i < history.size(); ++i) {
    BOOST_TEST((history[i].before == history[i - 1].now));
    BOOST_TEST((history[i - 1].when < history[i].when));
  }
}
