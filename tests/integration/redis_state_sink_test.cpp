// SPDX-License-Identifier: Apache-2.0
// The Redis sink against a real redis-server: what it stores and reads back, and how it connects.
#define BOOST_TEST_MODULE redis_state_sink
#include <boost/test/unit_test.hpp>
#include <portsync/redis/state_sink.hpp>
#include <sstream>

#include "support/cpp/redis_server.hpp"
#include "support/cpp/sink_harness.hpp"
#include "support/cpp/sink_records.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  RedisServer server;
  redis::StateSinkOptions options = quick_options();
  std::unique_ptr<SinkHarness> harness;

  Fixture() { options.connection.socket_path = server.socket_path(); }

  SinkHarness& open() {
    harness = std::make_unique<SinkHarness>(redis::make_state_sink(options));
    harness->start();
    BOOST_REQUIRE(harness->run_until_open());
    return *harness;
  }
  std::string ask(const std::vector<std::string>& words) {
    auto client = server.client();
    client({"SELECT", std::to_string(options.connection.database)});
    return client(words);
  }
  void check_row(const std::string& port, const std::string& expected) {
    BOOST_TEST(ask({"HGETALL", "PORT_TABLE|" + port}) == expected);
  }
};

std::uint64_t calls(RedisServer& server, const std::string& command) {
  std::istringstream info(server({"INFO", "commandstats"}));
  const std::string wanted = "cmdstat_" + command + ":calls=";
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with(wanted)) return std::stoull(line.substr(wanted.size()));
  }
  return 0;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(storing, Fixture)

BOOST_AUTO_TEST_CASE(a_row_has_our_four_fields_and_the_index_its_entry) {
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}, {"Ethernet4", "down"}});
  check_row("Ethernet0", "state ok netdev_oper_status up admin_status up mtu 9100");
  check_row("Ethernet4", "state ok netdev_oper_status down admin_status up mtu 9100");
  BOOST_TEST(ask({"HGET", "PORT_TABLE", "Ethernet0"}) == "up");
  BOOST_TEST(ask({"HGET", "PORT_TABLE", "Ethernet4"}) == "down");
  BOOST_TEST(ask({"HLEN", "PORT_TABLE"}) == "2");
}

BOOST_AUTO_TEST_CASE(results_come_in_order_and_once) {
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}, {"Ethernet4", "up"}, {"Ethernet8", "up"}});
  BOOST_REQUIRE(sink.observer.results.size() == 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    BOOST_TEST(sink.observer.results[i].revision == i + 1);
    BOOST_TEST(!sink.observer.results[i].error);
  }
  sink.run_for(50ms);
  BOOST_TEST(sink.observer.results.size() == 3U);
}

BOOST_AUTO_TEST_CASE(fields_and_keys_of_others_are_left_alone) {
  ask({"HSET", "PORT_TABLE|Ethernet0", "speed", "100000", "mtu", "1"});
  ask({"HSET", "PORT_TABLE", "Other", "x"});
  ask({"HSET", "PORT_TABLE|Ethernet0.10", "state", "ok"});
  ask({"SET", "PORT_TABLE_COUNT", "7"});
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(ask({"HGET", "PORT_TABLE|Ethernet0", "speed"}) == "100000");
  BOOST_TEST(ask({"HGET", "PORT_TABLE|Ethernet0", "mtu"}) == "9100");
  erase(sink, {"Ethernet0"});
  check_row("Ethernet0", "speed 100000");
  BOOST_TEST(ask({"HGETALL", "PORT_TABLE"}) == "Other x");
  check_row("Ethernet0.10", "state ok");
  BOOST_TEST(ask({"GET", "PORT_TABLE_COUNT"}) == "7");
}

BOOST_AUTO_TEST_CASE(a_row_of_ours_alone_goes_with_its_key) {
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  erase(sink, {"Ethernet0", "Ethernet4"});  // Ethernet4 never existed
  BOOST_TEST(ask({"DBSIZE"}) == "0");
  BOOST_TEST(!sink.observer.results.back().error);
}

BOOST_AUTO_TEST_CASE(erasing_the_whole_key_takes_what_others_wrote_with_it) {
  options.erase = redis::EraseMode::whole_key;
  ask({"HSET", "PORT_TABLE|Ethernet0", "speed", "100000"});
  auto& sink = open();
  erase(sink, {"Ethernet0"});
  BOOST_TEST(ask({"EXISTS", "PORT_TABLE|Ethernet0"}) == "0");
}

BOOST_AUTO_TEST_CASE(without_an_index_there_is_none_and_no_multi) {
  options.index = false;
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}}, false);
  erase(sink, {"Ethernet4"});
  BOOST_TEST(ask({"EXISTS", "PORT_TABLE"}) == "0");
  BOOST_TEST(calls(server, "multi") == 0U);
  check_row("Ethernet0", "state ok netdev_oper_status up admin_status up mtu 9100");
}

BOOST_AUTO_TEST_CASE(a_batch_with_an_index_is_two_plus_rows_plus_one_commands) {
  auto& sink = open();
  const auto before = sink.sink->statistics();
  std::vector<std::pair<std::string, std::string>> ports;
  for (int i = 0; i < 10; ++i) ports.emplace_back("Ethernet" + std::to_string(4 * i), "up");
  store(sink, ports);
  const auto after = sink.sink->statistics();
  BOOST_TEST(after.commands - before.commands == 2U + 10U + 1U);
  BOOST_TEST(after.batches - before.batches == 1U);
  BOOST_TEST(after.bytes_sent > before.bytes_sent);
  BOOST_TEST(after.round_trip.count() > 0);
  BOOST_TEST(calls(server, "multi") == 1U);
  BOOST_TEST(calls(server, "exec") == 1U);
  BOOST_TEST(calls(server, "hset") == 11U);
}

BOOST_AUTO_TEST_CASE(a_change_of_mtu_is_one_command) {
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  const auto before = sink.sink->statistics();
  const auto stored = port_record("Ethernet0", "up");
  auto changed = stored;
  changed.fields[3].value = "1500";
  BOOST_TEST(!sink.sink->put(changed, &stored, 2));
  BOOST_TEST(!sink.sink->flush());
  BOOST_REQUIRE(sink.run_until_results(2));
  BOOST_TEST(sink.sink->statistics().commands - before.commands == 1U);
  BOOST_TEST(ask({"HGET", "PORT_TABLE|Ethernet0", "mtu"}) == "1500");
}

BOOST_AUTO_TEST_CASE(what_is_stored_already_costs_no_command) {
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  const auto before = sink.sink->statistics();
  const auto stored = port_record("Ethernet0", "up");
  BOOST_TEST(!sink.sink->put(stored, &stored, 2));
  BOOST_TEST(!sink.sink->flush());
  BOOST_REQUIRE(sink.run_until_results(2));
  BOOST_TEST(!sink.observer.results[1].error);
  const auto after = sink.sink->statistics();
  BOOST_TEST(after.commands == before.commands);
  BOOST_TEST(after.batches == before.batches);
}

BOOST_AUTO_TEST_CASE(an_index_entry_alone_is_repaired_alone) {
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  ask({"DEL", "PORT_TABLE"});
  auto stored = port_record("Ethernet0", "up");
  stored.fields.pop_back();
  const auto before = sink.sink->statistics();
  BOOST_TEST(!sink.sink->put(port_record("Ethernet0", "up"), &stored, 2));
  BOOST_TEST(!sink.sink->flush());
  BOOST_REQUIRE(sink.run_until_results(2));
  BOOST_TEST(sink.sink->statistics().commands - before.commands == 3U);
  BOOST_TEST(ask({"HGETALL", "PORT_TABLE"}) == "Ethernet0 up");
}

BOOST_AUTO_TEST_CASE(an_erased_and_put_port_of_one_batch_is_there) {
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  ask({"HSET", "PORT_TABLE|Ethernet0", "speed", "1"});
  BOOST_TEST(!sink.sink->erase("Ethernet0", 2));
  BOOST_TEST(!sink.sink->put(port_record("Ethernet0", "down"), nullptr, 3));
  BOOST_TEST(!sink.sink->put(port_record("Ethernet4", "up"), nullptr, 4));
  BOOST_TEST(!sink.sink->erase("Ethernet4", 5));
  BOOST_TEST(!sink.sink->flush());
  BOOST_REQUIRE(sink.run_until_results(5));
  BOOST_TEST(ask({"HGET", "PORT_TABLE|Ethernet0", "netdev_oper_status"}) == "down");
  BOOST_TEST(ask({"EXISTS", "PORT_TABLE|Ethernet4"}) == "0");
  BOOST_TEST(ask({"HGETALL", "PORT_TABLE"}) == "Ethernet0 down");
}

BOOST_AUTO_TEST_CASE(at_most_512_rows_are_unanswered) {
  auto& sink = open();
  BOOST_TEST(sink.sink->room() == 512U);
  for (Revision i = 1; i <= 512; ++i) {
    BOOST_REQUIRE(!sink.sink->put(port_record("Ethernet" + std::to_string(i), "up"), nullptr, i));
  }
  BOOST_TEST(sink.sink->room() == 0U);
  BOOST_TEST(sink.sink->put(port_record("Ethernet0", "up"), nullptr, 2000) == make_error_code(Errc::no_room));
  BOOST_TEST(sink.sink->erase("Ethernet0", 2001) == make_error_code(Errc::no_room));
  BOOST_TEST(!sink.sink->flush());
  BOOST_TEST(sink.sink->room() == 0U);
  BOOST_REQUIRE(sink.run_until_results(512));
  BOOST_TEST(sink.sink->room() == 512U);
  BOOST_TEST(ask({"HLEN", "PORT_TABLE"}) == "512");
}

BOOST_AUTO_TEST_CASE(batches_may_follow_one_another_unanswered) {
  auto& sink = open();
  for (Revision i = 1; i <= 20; ++i) {
    BOOST_TEST(!sink.sink->put(port_record("Ethernet0", i % 2 == 0 ? "up" : "down"), nullptr, i));
    BOOST_TEST(!sink.sink->flush());
  }
  BOOST_REQUIRE(sink.run_until_results(20));
  BOOST_TEST(ask({"HGET", "PORT_TABLE|Ethernet0", "netdev_oper_status"}) == "up");
  BOOST_TEST(ask({"HGET", "PORT_TABLE", "Ethernet0"}) == "up");
}

BOOST_AUTO_TEST_CASE(a_quiet_sink_does_not_wake_up) {
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  sink.run_for(50ms);
  const auto before = sink.wakeups;
  sink.run_for(300ms);
  BOOST_TEST(sink.wakeups - before <= 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(reading, Fixture)

BOOST_AUTO_TEST_CASE(what_was_stored_is_read_back) {
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}, {"Ethernet4", "down"}});
  BOOST_REQUIRE(sink.read_back());
  BOOST_TEST(!sink.observer.read_back);
  BOOST_TEST(sink.observer.rows.size() == 2U);
  const RecordingObserver::Fields expected{
      {"state", "ok"}, {"netdev_oper_status", "up"}, {"admin_status", "up"}, {"mtu", "9100"}, {"@index", "up"}};
  BOOST_TEST((sink.observer.rows["Ethernet0"] == expected));
}

BOOST_AUTO_TEST_CASE(other_keys_fields_and_types) {
  ask({"HSET", "PORT_TABLE|Ethernet0", "speed", "1"});                 // only fields of others
  ask({"HSET", "PORT_TABLE|Ethernet4", "speed", "1", "mtu", "1500"});  // one of our fields
  ask({"SET", "PORT_TABLE|Ethernet8", "x"});                           // not a hash
  ask({"HSET", "PORT_TABLE", "Ethernet12", "up"});                     // an entry without a row
  ask({"HSET", "PORT_TABLES|Ethernet16", "state", "ok"});
  ask({"HSET", "XPORT_TABLE|Ethernet20", "state", "ok"});
  auto& sink = open();
  BOOST_REQUIRE(sink.read_back());
  const std::map<std::string, RecordingObserver::Fields> expected{
      {"Ethernet4", {{"mtu", "1500"}}}, {"Ethernet8", {}}, {"Ethernet12", {{"@index", "up"}}}};
  BOOST_TEST((sink.observer.rows == expected));
}

BOOST_AUTO_TEST_CASE(five_thousand_rows_are_reported_once_each) {
  auto client = server.client();
  client({"SELECT", std::to_string(options.connection.database)});
  client({"EVAL",
          "for i=1,5000 do redis.call('HSET', 'PORT_TABLE|Ethernet'..i, 'state', 'ok', 'x', i); "
          "redis.call('HSET', 'PORT_TABLE', 'Ethernet'..i, 'up') end; "
          "for i=1,5000 do redis.call('SET', 'other'..i, i) end",
          "0"});
  auto& sink = open();
  BOOST_REQUIRE(sink.read_back());
  BOOST_TEST(!sink.observer.read_back);
  BOOST_TEST(sink.observer.rows.size() == 5000U);
  BOOST_TEST(sink.observer.rows_reported_twice == 0);
  BOOST_TEST(calls(server, "keys") == 0U);
  BOOST_TEST(sink.wakeups >= 10U);  // at most 1,024 units of work at a time
  BOOST_TEST((sink.observer.rows["Ethernet777"] == RecordingObserver::Fields{{"state", "ok"}, {"@index", "up"}}));
}

BOOST_AUTO_TEST_CASE(listed_ports_only) {
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}, {"Ethernet4", "down"}, {"Ethernet8", "down"}});
  ask({"DEL", "PORT_TABLE|Ethernet8"});
  BOOST_REQUIRE(sink.read_back(Scope::listed, {"Ethernet4", "Ethernet8", "Ethernet12"}));
  BOOST_TEST(sink.observer.rows.size() == 2U);
  BOOST_TEST(sink.observer.rows["Ethernet4"].size() == 5U);
  BOOST_TEST((sink.observer.rows["Ethernet8"] == RecordingObserver::Fields{{"@index", "down"}}));
}

BOOST_AUTO_TEST_CASE(one_read_back_at_a_time) {
  auto& sink = open();
  BOOST_TEST(!sink.sink->read_back(Scope::all, {}));
  BOOST_TEST(sink.sink->read_back(Scope::all, {}) == make_error_code(Errc::busy));
  BOOST_REQUIRE(sink.run([&] { return sink.observer.read_backs == 1; }));
  BOOST_TEST(sink.read_back());
}

BOOST_AUTO_TEST_CASE(reading_and_writing_at_the_same_time) {
  auto& sink = open();
  Revision revision = 0;
  for (int i = 0; i < 500; ++i) {
    BOOST_TEST(!sink.sink->put(port_record("Ethernet" + std::to_string(i), "up"), nullptr, ++revision));
  }
  BOOST_TEST(!sink.sink->flush());
  BOOST_TEST(!sink.sink->read_back(Scope::all, {}));
  sink.observer.when_row = [&] {
    if (revision >= 900) return;
    (void)sink.sink->put(port_record("Ethernet0", "down"), nullptr, ++revision);
    (void)sink.sink->flush();
  };
  BOOST_REQUIRE(sink.run([&] { return sink.observer.read_backs == 1 && sink.observer.results.size() == 900; }));
  BOOST_TEST(sink.observer.rows.size() == 500U);
  BOOST_TEST(ask({"HGET", "PORT_TABLE|Ethernet0", "netdev_oper_status"}) == "down");
}

BOOST_AUTO_TEST_CASE(a_table_name_with_wildcards_is_meant_literally) {
  ask({"HSET", "PORT_TABLE|Ethernet0", "state", "ok"});
  ask({"HSET", "P*[x]|Ethernet4", "state", "ok"});
  options.table = "P*[x]";
  auto& sink = open();
  BOOST_REQUIRE(sink.read_back());
  BOOST_TEST(sink.observer.rows.size() == 1U);
  BOOST_TEST(sink.observer.rows.contains("Ethernet4"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(connecting, Fixture)

BOOST_AUTO_TEST_CASE(tcp_ipv4_ipv6_and_by_name) {
  const std::uint16_t port = free_tcp_port();
  server.kill();
  server.start(true, {"--port", std::to_string(port), "--bind", "127.0.0.1", "::1"});
  options.connection.socket_path.clear();
  options.connection.port = port;
  for (const char* host : {"127.0.0.1", "::1", "localhost"}) {
    BOOST_TEST_CONTEXT(host) {
      options.connection.host = host;
      auto& sink = open();
      store(sink, {{"Ethernet0", "up"}});
      BOOST_TEST(!sink.observer.results.front().error);
      BOOST_TEST(sink.observer.closes == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_name_that_does_not_exist) {
  options.connection.socket_path.clear();
  options.connection.host = "no-such-host.invalid";
  options.connection.timeout = 3s;
  SinkHarness sink(redis::make_state_sink(options));
  sink.start();
  BOOST_REQUIRE(sink.run_until_closed(2));
  BOOST_TEST(sink.observer.opens == 0);
  BOOST_TEST((sink.observer.closed[0] == redis::Errc::resolve || sink.observer.closed[0] == redis::Errc::timeout));
  BOOST_TEST(sink.sink->statistics().last_error.starts_with("no-such-host.invalid:6379: "));
}

BOOST_AUTO_TEST_CASE(the_database_and_the_name_are_set) {
  options.connection.database = 6;
  options.connection.client_name = "portsyncd-test";
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(server({"HLEN", "PORT_TABLE"}) == "0");
  BOOST_TEST(server({"CLIENT", "LIST"}).find("name=portsyncd-test") != std::string::npos);
  BOOST_TEST(server({"CLIENT", "LIST"}).find(" db=6 ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_server_that_comes_later) {
  server.kill();
  std::filesystem::remove(server.socket_path());
  SinkHarness sink(redis::make_state_sink(options));
  sink.start();
  BOOST_REQUIRE(sink.run_until_closed(2));
  BOOST_TEST((sink.observer.closed[0] == std::errc::no_such_file_or_directory));
  BOOST_TEST(sink.sink->statistics().last_error.find("No such file") != std::string::npos);
  server.start();
  BOOST_REQUIRE(sink.run_until_open());
  store(sink, {{"Ethernet0", "up"}});
}

BOOST_AUTO_TEST_CASE(a_stale_socket_file) {
  server.kill();
  BOOST_REQUIRE(std::filesystem::exists(server.socket_path()));
  SinkHarness sink(redis::make_state_sink(options));
  sink.start();
  BOOST_REQUIRE(sink.run_until_closed());
  BOOST_TEST((sink.observer.closed[0] == std::errc::connection_refused));
  server.start();
  BOOST_TEST(sink.run_until_open());
}

BOOST_AUTO_TEST_CASE(no_server_listens_on_the_port) {
  options.connection.socket_path.clear();
  options.connection.host = "127.0.0.1";
  options.connection.port = free_tcp_port();
  SinkHarness sink(redis::make_state_sink(options));
  sink.start();
  BOOST_REQUIRE(sink.run_until_closed(3));
  BOOST_TEST((sink.observer.closed[2] == std::errc::connection_refused));
}

BOOST_AUTO_TEST_CASE(before_it_is_open_nothing_can_be_done) {
  SinkHarness sink(redis::make_state_sink(options));
  const auto not_open = make_error_code(Errc::not_open);
  BOOST_TEST(sink.sink->put(port_record("Ethernet0", "up"), nullptr, 1) == not_open);
  BOOST_TEST(sink.sink->erase("Ethernet0", 1) == not_open);
  BOOST_TEST(sink.sink->flush() == not_open);
  BOOST_TEST(sink.sink->read_back(Scope::all, {}) == not_open);
  BOOST_TEST(sink.sink->room() == 0U);
  BOOST_TEST(!sink.sink->process());  // before start()
  const int fd = sink.sink->fd();
  sink.start();
  BOOST_TEST(sink.sink->start(sink.observer) == make_error_code(Errc::already_started));
  BOOST_REQUIRE(sink.run_until_open());
  BOOST_TEST(sink.sink->fd() == fd);
  BOOST_TEST(sink.sink->statistics().open);
  BOOST_TEST(sink.sink->statistics().opens == 1U);
}

BOOST_AUTO_TEST_CASE(options_that_cannot_work_are_refused_at_once) {
  const auto refuses = [](auto change) {
    auto wrong = quick_options();
    change(wrong);
    BOOST_CHECK_THROW((void)redis::make_state_sink(wrong), std::invalid_argument);
  };
  refuses([](auto& o) { o.connection.host.clear(); });
  refuses([](auto& o) { o.connection.port = 0; });
  refuses([](auto& o) { o.connection.database = -1; });
  refuses([](auto& o) { o.connection.timeout = 0ms; });
  refuses([](auto& o) { o.connection.retry_interval = 0ms; });
  refuses([](auto& o) { o.connection.probe_interval = -1ms; });
  refuses([](auto& o) { o.connection.socket_path = std::string(200, 'x'); });
  refuses([](auto& o) { o.table.clear(); });
  refuses([](auto& o) { o.separator.clear(); });
}

BOOST_AUTO_TEST_CASE(a_quiet_connection_is_probed) {
  options.connection.probe_interval = 50ms;
  auto& sink = open();
  const auto before = calls(server, "ping");
  sink.run_for(400ms);
  BOOST_TEST(calls(server, "ping") - before >= 4U);
  BOOST_TEST(calls(server, "ping") - before <= 9U);
  BOOST_TEST(sink.observer.closes == 0);
  BOOST_TEST(sink.sink->statistics().round_trip.count() > 0);
}

BOOST_AUTO_TEST_CASE(an_answered_probe_causes_no_wakeup_before_the_next) {
  options.connection.probe_interval = 400ms;
  options.connection.timeout = 100ms;
  auto& sink = open();
  sink.run_for(500ms);
  const auto commands = sink.sink->statistics().commands;
  const auto wait = [&sink] {
    pollfd waiting{sink.sink->fd(), POLLIN, 0};
    BOOST_REQUIRE(::poll(&waiting, 1, 5000) == 1);
    return Clock::now();
  };
  while (sink.sink->statistics().commands == commands) {
    wait();
    BOOST_REQUIRE(!sink.sink->process());
  }
  const TimePoint probed = Clock::now();
  wait();
  BOOST_REQUIRE(!sink.sink->process());  // the reply
  BOOST_TEST((wait() - probed >= 350ms));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(observing, Fixture)

// An exception of the observer leaves process(), and no event is lost.
BOOST_AUTO_TEST_CASE(an_observer_that_throws) {
  harness = std::make_unique<SinkHarness>(redis::make_state_sink(options));
  auto& sink = *harness;
  struct Thrown {};
  bool throwing = true;
  const auto maybe_throw = [&] {
    throwing = !throwing;
    if (!throwing) throw Thrown();
  };
  sink.observer.when_open = sink.observer.when_result = sink.observer.when_row = sink.observer.when_read_back =
      sink.observer.when_closed = maybe_throw;
  int caught = 0;
  const auto run = [&](const std::function<bool()>& until) {
    for (;;) {
      try {
        return sink.run(until);
      } catch (const Thrown&) {
        ++caught;
      }
    }
  };
  sink.start();
  BOOST_REQUIRE(run([&] { return sink.observer.open; }));
  for (Revision i = 1; i <= 100; ++i) {
    BOOST_TEST(!sink.sink->put(port_record("Ethernet" + std::to_string(i), "up"), nullptr, i));
  }
  BOOST_TEST(!sink.sink->flush());
  BOOST_REQUIRE(run([&] { return sink.observer.results.size() == 100; }));
  BOOST_TEST(!sink.sink->read_back(Scope::all, {}));
  BOOST_REQUIRE(run([&] { return sink.observer.read_backs == 1; }));
  BOOST_TEST(sink.observer.rows.size() == 100U);
  BOOST_TEST(sink.observer.rows_reported_twice == 0);
  server({"CLIENT", "KILL", "TYPE", "normal"});
  BOOST_REQUIRE(run([&] { return sink.observer.opens == 2; }));
  BOOST_TEST(caught > 90);
  for (std::size_t i = 0; i < 100; ++i) BOOST_TEST(sink.observer.results[i].revision == i + 1);
}

BOOST_AUTO_TEST_CASE(the_observer_may_call_the_sink) {
  harness = std::make_unique<SinkHarness>(redis::make_state_sink(options));
  auto& sink = *harness;
  Revision revision = 0;
  const auto put = [&] {
    if (revision >= 50) return;
    ++revision;
    BOOST_TEST(!sink.sink->put(port_record("Ethernet0", revision % 2 == 0 ? "down" : "up"), nullptr, revision));
    BOOST_TEST(!sink.sink->flush());
  };
  sink.observer.when_open = [&] { BOOST_TEST(!sink.sink->read_back(Scope::all, {})); };
  sink.observer.when_read_back = put;
  sink.observer.when_result = put;
  sink.start();
  BOOST_REQUIRE(sink.run_until_results(50));
  BOOST_TEST(ask({"HGET", "PORT_TABLE|Ethernet0", "netdev_oper_status"}) == "down");
}

#ifndef NDEBUG
BOOST_AUTO_TEST_CASE(process_inside_of_process_asserts) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGABRT, SIG_DFL);
    ::close(STDERR_FILENO);
    SinkHarness sink(redis::make_state_sink(options));
    sink.observer.when_open = [&] { (void)sink.sink->process(); };
    sink.start();
    (void)sink.run_until_open();
    ::_exit(0);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
}
#endif

// Often a caller looks at its descriptors late. Nothing may be lost then, and no reply may count as missing.
BOOST_AUTO_TEST_CASE(a_caller_that_comes_late_finds_answers_not_timeouts) {
  options.connection.timeout = 100ms;
  auto& sink = open();
  BOOST_TEST(!sink.sink->put(port_record("Ethernet0", "up"), nullptr, 1));
  BOOST_TEST(!sink.sink->flush());
  std::this_thread::sleep_for(200ms);
  BOOST_REQUIRE(sink.run_until_results(1));
  BOOST_TEST(sink.observer.closes == 0);
  BOOST_TEST(sink.sink->statistics().timeouts == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
