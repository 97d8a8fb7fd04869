// SPDX-License-Identifier: Apache-2.0
// What the engine reports to a monitor, and when.
#define BOOST_TEST_MODULE sync_engine_health
#include <boost/test/unit_test.hpp>

#include "unit/core/sync_engine_fixture.hpp"

using namespace portsync;
using namespace portsync::test;

// With a monitor, and without audits, so that only reports wake the engine.
struct HealthFixture : Fixture {
  static SynchronizerOptions options() {
    SynchronizerOptions options;
    options.audit_interval = 0ms;
    return options;
  }
  HealthFixture() : Fixture(options()) { engine.set_health_monitor(monitor); }

  [[nodiscard]] const HealthReport& last() const { return monitor.reports.back(); }
  [[nodiscard]] const SinkReport& last_sink() const { return last().sinks.at(0); }
  [[nodiscard]] std::size_t count() const { return monitor.reports.size(); }
  void write(int number, bool is_up) {
    source.change(make_link(100 + number, "Ethernet" + std::to_string(number), is_up));
    source.drained();
    settle();
  }
  // Runs the engine at its deadlines, and does nothing else, until there is none. Returns how often that was.
  int wake_ups() {
    int count = 0;
    while (engine.deadline()) {
      BOOST_REQUIRE(*engine.deadline() > now);
      turn(*engine.deadline() - now);
      ++count;
    }
    return count;
  }

  RecordingMonitor monitor;
};

BOOST_FIXTURE_TEST_CASE(health_is_reported_when_it_may_have_changed_and_every_second_while_something_waits,
                        HealthFixture) {
  turn();
  BOOST_TEST(count() == 1U);
  BOOST_TEST(!last().first_snapshot);
  snapshot(ports(1));
  turn();
  BOOST_TEST(last_sink().pending == 1U);
  BOOST_TEST(last_sink().pending_port == "Ethernet0");
  const std::size_t before = count();
  turn();
  BOOST_TEST(count() == before);
  BOOST_REQUIRE(engine.deadline().has_value());
  BOOST_TEST((*engine.deadline() <= now + 1s));
  turn(1s);
  BOOST_TEST(count() == before + 1);
  sink().open();
  settle();
  BOOST_TEST(last_sink().open);
  turn(1s);
  BOOST_TEST(last_sink().pending == 0U);
  source.change(make_link(100, "Ethernet0", false));
  source.drained();
  turn();
  sink().answer(refused);
  turn();
  BOOST_TEST(last_sink().refused_port == "Ethernet0");
  BOOST_TEST(last_sink().error == refused.message());
  turn(2s);
  sink().answer();  // a refused row is read before its retry
  turn();
  sink().answer();
  turn();
  BOOST_TEST((!last_sink().refused_since));
}

BOOST_FIXTURE_TEST_CASE(a_flood_is_reported_once_a_second_and_none_of_its_rows_is_behind, HealthFixture) {
  begin(ports(8));
  turn(2s);
  const std::size_t before = count();
  for (int i = 0; i < 5000; ++i) {  // 5 s
    for (int port = 0; port < 8; ++port) {
      source.change(make_link(100 + port, "Ethernet" + std::to_string(port), i % 2 == 0));
    }
    source.drained();
    turn(1ms);
    sink().answer_all();
    BOOST_REQUIRE(last_sink().behind == 0U);
  }
  BOOST_TEST(count() - before >= 4U);
  BOOST_TEST(count() - before <= 6U);
}

// Otherwise the monitor's timer would judge the age of a row that has been stored meanwhile.
BOOST_FIXTURE_TEST_CASE(a_row_that_a_report_has_as_waiting_is_reported_again_before_it_can_be_overdue, HealthFixture) {
  constexpr auto shortest_stall = 1s;  // of health.max_stall_seconds
  begin(ports(1));
  wake_ups();
  source.change(make_link(100, "Ethernet0", false));
  source.drained();
  turn();
  turn(1ms);
  source.counted.snapshot_pending = true;
  engine.source_may_have_changed();
  turn();
  BOOST_REQUIRE(last_sink().pending_since.has_value());
  const TimePoint overdue = *last_sink().pending_since + shortest_stall;
  settle();
  turn(overdue - 1ms - now);
  BOOST_TEST(!last_sink().pending_since.has_value());
}

BOOST_FIXTURE_TEST_CASE(refusals_of_many_rows_are_reported_once_a_second, HealthFixture) {
  begin(ports(100));
  turn(2s);
  const std::size_t before = count();
  for (int port = 0; port < 100; ++port) {
    source.change(make_link(100 + port, "Ethernet" + std::to_string(port), false));
    source.drained();
    turn(1ms);
    sink().answer(refused);
    turn(1ms);
  }
  BOOST_TEST(count() - before == 1U);
  turn(1s);
  BOOST_TEST(count() - before == 2U);
  BOOST_TEST(last_sink().failures == 100U);
}

BOOST_FIXTURE_TEST_CASE(a_row_is_behind_when_it_has_waited_for_a_second, HealthFixture) {
  begin(ports(3));
  source.change(make_link(100, "Ethernet0", false));
  source.remove(102);
  source.drained();
  turn();
  const TimePoint changed = now - 1us;
  turn(changed + 1s - 1ns - now);
  engine.source_may_have_changed();
  source.counted.snapshot_pending = true;
  engine.source_may_have_changed();
  turn(0ns);
  BOOST_TEST(last_sink().pending == 2U);
  BOOST_TEST(last_sink().behind == 0U);
  source.counted.snapshot_pending = false;
  engine.source_may_have_changed();
  turn(1ns);
  BOOST_TEST(last_sink().behind == 1U);  // the other link is no port any more
  BOOST_TEST(last().ports == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_source_that_was_processed_for_nothing_is_no_news, HealthFixture) {
  begin(ports(1));
  wake_ups();
  const std::size_t before = count();
  engine.source_may_have_changed();
  turn();
  BOOST_TEST(count() == before);
  source.counted.deaf_since = now;
  engine.source_may_have_changed();
  turn();
  BOOST_TEST(count() == before + 1);
  BOOST_TEST((last().deaf_since == source.counted.deaf_since));
}

BOOST_FIXTURE_TEST_CASE(the_last_minute_is_reported_and_that_it_is_over, HealthFixture) {
  begin(ports(2));
  wake_ups();
  BOOST_TEST(last_sink().writes == 0U);
  now = TimePoint{2h};
  for (int i = 0; i < 15; ++i) {
    write(0, i % 2 != 0);
    write(1, i % 2 != 0);
  }
  turn(2s);
  BOOST_TEST(last_sink().writes == 30U);
  BOOST_TEST(last_sink().failures == 0U);
  BOOST_TEST(last().latency_samples == 30U);
  BOOST_TEST(last().latency_p99_us > 0U);
  turn(60s - 2s - 1ms);
  BOOST_TEST(last_sink().writes == 30U);
  BOOST_TEST(last().latency_samples == 30U);
  const std::size_t before = count();
  wake_ups();
  BOOST_TEST(count() == before + 1);
  BOOST_TEST(last_sink().writes == 0U);
  BOOST_TEST(last().latency_samples == 0U);
  BOOST_TEST(last().latency_p99_us == 0U);
}

BOOST_FIXTURE_TEST_CASE(after_the_last_event_there_are_a_handful_of_reports_and_then_none, HealthFixture) {
  begin(ports(1));
  wake_ups();
  BOOST_TEST((!engine.deadline()));
  write(0, false);
  BOOST_TEST(wake_ups() == 2);  // one reports the write, and one that it was a minute ago
  turn(24h);
  BOOST_TEST((!engine.deadline()));
}

BOOST_FIXTURE_TEST_CASE(a_refused_row_is_one_failure_however_often_it_is_tried_again, HealthFixture) {
  begin(ports(1));
  wake_ups();
  source.change(make_link(100, "Ethernet0", false));
  source.drained();
  turn();
  for (int i = 0; i < 5; ++i) {
    sink().answer(refused);
    turn(2s);
    sink().answer();  // a refused row is read before its retry
    turn();
  }
  BOOST_TEST(engine.statistics().failures == 5U);
  BOOST_TEST(last_sink().failures == 1U);
  BOOST_TEST(last_sink().writes == 1U);
  sink().answer_all();
  turn(1s);
  BOOST_TEST(last_sink().failures == 1U);
  BOOST_TEST(last_sink().writes == 2U);
}

BOOST_FIXTURE_TEST_CASE(what_was_lost_and_repaired_is_reported, HealthFixture) {
  begin(ports(1));
  source.counted.overruns = 3;
  source.counted.resyncs = 4;
  sink().rows["Ethernet0"] = down;
  BOOST_TEST(!engine.audit(Scope::listed));
  settle();
  wake_ups();
  BOOST_TEST(last().overruns == 3U);
  BOOST_TEST(last().resyncs == 4U);
  BOOST_TEST(last().drift_repaired == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_thousand_ports_made_at_once_are_neither_behind_nor_slow, HealthFixture) {
  begin({});
  for (int i = 0; i < 1024; ++i) {
    source.change(make_link(100 + i, "Ethernet" + std::to_string(i)));
  }
  source.drained();
  turn();
  turn(2s);
  BOOST_TEST(last_sink().pending == 1024U);
  BOOST_TEST(last_sink().behind == 0U);
  settle();
  turn(1s);
  BOOST_TEST(last_sink().writes == 1024U);
  BOOST_TEST(last().latency_samples == 0U);
  // An existing row that differs is behind after a second, as before.
  source.change(make_link(100, "Ethernet0", false));
  source.drained();
  turn();
  turn(1s);
  BOOST_TEST(last_sink().behind == 1U);
  settle();
  // A new row that is not stored in time is behind too.
  source.change(make_link(5000, "Ethernet5000"));
  source.drained();
  turn();
  turn(5s);
  BOOST_TEST(last_sink().behind == 1U);
}

BOOST_FIXTURE_TEST_CASE(when_the_links_were_listed_is_reported, HealthFixture) {
  turn();
  BOOST_TEST(!last().links_listed.has_value());
  begin(ports(1));
  const TimePoint first = now;
  BOOST_TEST((*last().links_listed <= first));
  turn(10s);
  BOOST_TEST(!engine.audit(Scope::listed));
  settle();
  BOOST_TEST((*last().links_listed <= first));  // the rows were read, and the links were not
  snapshot(ports(1));
  turn();
  BOOST_TEST((*last().links_listed > first));
  // Audits that are enabled only now are not late.
  turn(1h);
  SynchronizerOptions changed = options();
  changed.audit_interval = 60s;
  engine.set_options(changed);
  source.counted.snapshot_pending = true;
  engine.source_may_have_changed();
  turn();
  BOOST_TEST((*last().links_listed + 1s > now));
}

BOOST_FIXTURE_TEST_CASE(when_rows_were_compared_and_why_they_could_not_be_is_reported, HealthFixture) {
  begin(ports(1));
  const TimePoint first = now;
  BOOST_TEST((*last_sink().compared <= first));
  turn(10s);
  BOOST_TEST(!engine.audit(Scope::listed));
  turn();
  sink().answer(refused);
  turn();
  BOOST_TEST((*last_sink().compared <= first));
  BOOST_TEST(last_sink().compare_error == refused.message());
  turn(2s);
  settle();
  BOOST_TEST((*last_sink().compared > first));
  BOOST_TEST(last_sink().compare_error.empty());
  // Audits that are enabled only now are not late.
  turn(1h);
  SynchronizerOptions changed = options();
  changed.audit_interval = 60s;
  engine.set_options(changed);
  engine.source_may_have_changed();
  source.counted.snapshot_pending = true;
  engine.source_may_have_changed();
  turn();
  BOOST_TEST((last().audit_interval == 60s));
  BOOST_TEST((*last_sink().compared + 1s > now));
}
