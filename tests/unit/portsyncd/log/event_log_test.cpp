// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE event_log
#include "log/event_log.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <string>
#include <vector>

#include "support/cpp/allocations.hpp"

using namespace portsyncd;
using namespace std::chrono_literals;
using portsync::SyncEvent;
using Phase = EventLog::Phase;

namespace {

constexpr EventLog::TimePoint start{1000s};

struct Fixture {
  Fixture() { log::open({}); }
  ~Fixture() { log::set_level(log::Level::info); }

  SyncEvent written(std::string_view port) const {
    SyncEvent event;
    event.kind = SyncEvent::Kind::row_written;
    event.sink = "Redis at /run/redis.sock";
    event.port = port;
    event.record = &record;
    event.count = 3;
    event.latency = 210us;
    return event;
  }

  portsync::PortRecord record{"Ethernet0", {{"admin_status", "up"}, {"netdev_oper_status", "down"}, {"mtu", "9100"}}};
  std::vector<std::string> lines;
  std::map<std::string, std::string> fields;  // the fields of the last line
  log::Level level{};
  EventLog events{10ms, 2s, [this](log::Level of_line, std::string_view line, log::Fields of_it) {
                    level = of_line;
                    lines.emplace_back(line);
                    fields.clear();
                    for (const log::Field& field : of_it) fields.emplace(field.name, field.value);
                  }};
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_bucket_lets_its_burst_through_and_then_its_rate) {
  TokenBucket bucket(50, 200);
  int taken = 0;
  while (bucket.take(start)) ++taken;
  BOOST_TEST(taken == 200);
  BOOST_TEST(!bucket.take(start + 19ms));
  BOOST_TEST(bucket.take(start + 20ms));
  BOOST_TEST(!bucket.take(start));  // an earlier time adds nothing
  for (taken = 0; bucket.take(start + 1h); ++taken) {
  }
  BOOST_TEST(taken == 200);
}

BOOST_FIXTURE_TEST_CASE(a_written_row_is_logged_with_what_monitoring_greps_for, Fixture) {
  events.on_event(written("Ethernet0"), start);
  BOOST_REQUIRE_EQUAL(lines.size(), 1U);
  BOOST_TEST(lines[0] ==
             "Received event port=Ethernet0 cause=notified admin=up oper=down mtu=9100 events=3 latency_us=210");
}

BOOST_FIXTURE_TEST_CASE(a_written_row_has_port_old_new_and_latency_as_fields, Fixture) {
  SyncEvent event = written("Ethernet0");
  events.on_event(event, start);
  std::map<std::string, std::string> wanted = {
      {"PORT", "Ethernet0"}, {"NEW", "admin=up oper=down mtu=9100"}, {"LATENCY_US", "210"}};
  BOOST_TEST((fields == wanted));
  const portsync::PortRecord before{"Ethernet0",
                                    {{"admin_status", "up"}, {"netdev_oper_status", "up"}, {"mtu", "1500"}}};
  event.before = &before;
  events.on_event(event, start);
  wanted["OLD"] = "admin=up oper=up mtu=1500";
  BOOST_TEST((fields == wanted));
  event.kind = SyncEvent::Kind::row_erased;
  event.record = nullptr;
  events.on_event(event, start);
  wanted.erase("NEW");
  BOOST_TEST((fields == wanted));
}

BOOST_FIXTURE_TEST_CASE(a_refused_row_has_its_port_as_a_field, Fixture) {
  SyncEvent event = written("Ethernet0");
  event.kind = SyncEvent::Kind::row_refused;
  event.error = std::make_error_code(std::errc::permission_denied);
  events.on_event(event, start);
  BOOST_TEST(fields.at("PORT") == "Ethernet0");
  BOOST_TEST(lines.at(0) == "Redis at /run/redis.sock refuses Ethernet0: Permission denied; trying again every 2 s");
}

BOOST_FIXTURE_TEST_CASE(rows_cost_no_memory_when_their_level_is_off, Fixture) {
  log::set_level(log::Level::warning);
  const SyncEvent event = written("Ethernet0");
  SyncEvent collapsed = event;
  collapsed.kind = SyncEvent::Kind::queue_collapsed;
  const std::size_t before = portsync::test::allocations;
  for (int i = 0; i < 1000; ++i) {
    events.on_event(event, start);
    events.on_event(collapsed, start);
  }
  BOOST_TEST(portsync::test::allocations - before == 0U);
  BOOST_TEST(lines.empty());
  BOOST_TEST(!events.holds_back());
}

BOOST_FIXTURE_TEST_CASE(rows_that_are_held_back_cost_no_memory, Fixture) {
  SyncEvent event = written("Ethernet0");
  event.kind = SyncEvent::Kind::row_refused;
  for (int i = 0; i < 200; ++i) events.on_event(event, start);
  const std::size_t before = portsync::test::allocations;
  for (int i = 0; i < 1000; ++i) events.on_event(event, start);
  BOOST_TEST(portsync::test::allocations - before == 0U);
}

BOOST_FIXTURE_TEST_CASE(refused_rows_that_are_held_back_are_logged_at_their_level, Fixture) {
  log::set_level(log::Level::warning);
  SyncEvent event = written("Ethernet0");
  event.kind = SyncEvent::Kind::row_refused;
  for (int i = 0; i < 201; ++i) events.on_event(event, start);
  events.flush();
  BOOST_TEST(lines.back() == "Received events suppressed=1");
  BOOST_TEST((level == log::Level::warning));
}

BOOST_FIXTURE_TEST_CASE(the_row_that_was_written_is_logged_and_not_the_present_link, Fixture) {
  SyncEvent event = written("Ethernet0");
  portsync::LinkState newer;
  newer.mtu = 68;
  event.link = &newer;
  events.on_event(event, start);
  BOOST_TEST(lines.at(0).find("mtu=9100") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_field_that_the_row_lacks_is_logged_as_unknown_and_json_without_its_quotes, Fixture) {
  record.fields = {{"admin_status", "\"up\""}};
  events.on_event(written("Ethernet0"), start);
  BOOST_TEST(lines.at(0) ==
             "Received event port=Ethernet0 cause=notified admin=up oper=unknown mtu=unknown events=3 latency_us=210");
}

BOOST_FIXTURE_TEST_CASE(a_removed_row_is_logged, Fixture) {
  SyncEvent event = written("Ethernet0");
  event.kind = SyncEvent::Kind::row_erased;
  events.on_event(event, start);
  BOOST_TEST(lines.at(0) == "Row removed port=Ethernet0 events=3 latency_us=210");
}

BOOST_FIXTURE_TEST_CASE(a_storm_is_cut_and_the_rest_counted_in_one_line, Fixture) {
  for (int i = 0; i < 1000; ++i) events.on_event(written("Ethernet0"), start);
  BOOST_TEST(lines.size() == 200U);
  BOOST_TEST(events.holds_back());
  events.flush();
  BOOST_TEST(lines.back() == "Received events suppressed=800");
  BOOST_TEST(!events.holds_back());
  events.flush();
  BOOST_TEST(lines.size() == 201U);
}

BOOST_FIXTURE_TEST_CASE(the_next_line_let_through_logs_the_count_first, Fixture) {
  for (int i = 0; i < 201; ++i) events.on_event(written("Ethernet0"), start);
  events.on_event(written("Ethernet4"), start + 20ms);
  BOOST_REQUIRE_EQUAL(lines.size(), 202U);
  BOOST_TEST(lines[200] == "Received events suppressed=1");
  BOOST_TEST(lines[201].starts_with("Received event port=Ethernet4"));
}

BOOST_FIXTURE_TEST_CASE(slow_rows_are_counted_and_the_warning_is_rate_limited, Fixture) {
  SyncEvent event = written("Ethernet0");
  event.latency = 10'001us;
  for (int i = 0; i < 5; ++i) events.on_event(event, start);
  BOOST_TEST(events.slow_rows() == 5U);
  BOOST_TEST(lines.size() == 6U);
  BOOST_TEST(lines[0] == "Slow row port=Ethernet0 latency_us=10001 max_latency_us=10000 slow_rows=1");
  BOOST_TEST(fields.at("PORT") == "Ethernet0");
}

BOOST_FIXTURE_TEST_CASE(a_slow_row_of_the_first_snapshot_is_counted_without_a_warning, Fixture) {
  SyncEvent event = written("Ethernet0");
  event.latency = 10'001us;
  event.cause = portsync::Cause::initial;
  events.on_event(event, start);
  BOOST_TEST(events.slow_rows() == 1U);
  BOOST_REQUIRE(lines.size() == 1U);
  BOOST_TEST(lines[0].starts_with("Received event"));
}

BOOST_FIXTURE_TEST_CASE(a_closed_sink_is_logged_with_its_reason, Fixture) {
  SyncEvent event;
  event.kind = SyncEvent::Kind::sink_closed;
  event.sink = "Redis at 127.0.0.1:6379";
  event.error = std::make_error_code(std::errc::connection_refused);
  events.on_event(event, start);
  BOOST_TEST(lines.at(0) == "Not connected to Redis at 127.0.0.1:6379: Connection refused; trying again every 2 s");
}

// The line "Redis answered with an error" was of no use to an operator.
BOOST_FIXTURE_TEST_CASE(a_stores_error_is_logged_in_its_own_words, Fixture) {
  SyncEvent event = written("Ethernet0");
  event.kind = SyncEvent::Kind::row_refused;
  event.error = std::make_error_code(std::errc::permission_denied);
  event.text = "PORT_TABLE|Ethernet0: WRONGTYPE Operation against a key";
  events.on_event(event, start);
  BOOST_TEST(
      lines.at(0) ==
      "Redis at /run/redis.sock refuses Ethernet0: PORT_TABLE|Ethernet0: WRONGTYPE Operation against a key; trying "
      "again every 2 s");
}

BOOST_FIXTURE_TEST_CASE(a_trouble_of_the_store_is_a_warning_and_its_end_is_logged, Fixture) {
  SyncEvent event;
  event.kind = SyncEvent::Kind::store_trouble;
  event.sink = "Redis at /run/redis.sock";
  event.text = "the index cannot be kept, PORT_TABLE: NOPERM";
  events.on_event(event, start);
  BOOST_TEST(lines.at(0) == "Trouble with Redis at /run/redis.sock: the index cannot be kept, PORT_TABLE: NOPERM");
  BOOST_TEST((level == log::Level::warning));
  event.text = "";
  events.on_event(event, start);
  BOOST_TEST(lines.at(1) == "Trouble with Redis at /run/redis.sock is over");
  BOOST_TEST((level == log::Level::info));
}

BOOST_FIXTURE_TEST_CASE(every_change_of_the_verdict_is_logged_and_many_reasons_are_not, Fixture) {
  using portsync::Verdict;
  events.on_health({Verdict::degraded, "starting"}, {Verdict::healthy, ""}, Phase::running, start);
  BOOST_TEST(lines.at(0) == "Health Healthy");
  for (int i = 0; i < 100; ++i) {
    events.on_health({Verdict::degraded, "a"}, {Verdict::degraded, "b"}, Phase::running, start);
  }
  BOOST_TEST(lines.size() == 10U);
  events.on_health({Verdict::degraded, "b"}, {Verdict::unhealthy, "c"}, Phase::running, start);
  BOOST_TEST(lines.back() == "Health Unhealthy: c");
  BOOST_TEST((level == log::Level::error));
  BOOST_TEST(fields.at("OLD") == "Degraded: a");  // the verdict that was last logged
  BOOST_TEST(fields.at("NEW") == "Unhealthy: c");
  BOOST_TEST(!events.holds_back());
}

BOOST_FIXTURE_TEST_CASE(what_a_healthy_start_goes_through_is_no_warning, Fixture) {
  using portsync::Verdict;
  events.on_health({Verdict::degraded, "starting"}, {Verdict::degraded, "waiting"}, Phase::starting, start);
  BOOST_TEST((level == log::Level::info));
  events.on_health({Verdict::degraded, "waiting"}, {Verdict::unhealthy, "a row"}, Phase::starting, start);
  BOOST_TEST((level == log::Level::error));
  events.on_health({Verdict::unhealthy, "a row"}, {Verdict::degraded, "waiting"}, Phase::running, start);
  BOOST_TEST((level == log::Level::warning));
}

BOOST_FIXTURE_TEST_CASE(the_newest_of_the_reasons_held_back_is_logged_later, Fixture) {
  using portsync::Verdict;
  for (char reason = 'a'; reason < 'n'; ++reason) {
    events.on_health({Verdict::degraded, {reason}}, {Verdict::degraded, {static_cast<char>(reason + 1)}},
                     Phase::running, start);
  }
  BOOST_TEST(lines.back() == "Health Degraded: k");
  BOOST_TEST(events.holds_back());
  events.flush();
  BOOST_TEST(lines.back() == "Health Degraded: n");
  BOOST_TEST(fields.at("OLD") == "Degraded: k");
  BOOST_TEST(!events.holds_back());
}

BOOST_AUTO_TEST_CASE(level_names_are_the_usual_ones) {
  BOOST_TEST((log::parse_level("warn") == log::Level::warning));
  BOOST_TEST((log::parse_level("Warning") == log::Level::warning));
  BOOST_TEST((log::parse_level("off") == log::Level::off));
  BOOST_TEST(!log::parse_level("").has_value());
  BOOST_TEST(!log::parse_level("loud").has_value());
}
