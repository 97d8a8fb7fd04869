// SPDX-License-Identifier: Apache-2.0
// The loader against a real Redis, with links by hand.
#define BOOST_TEST_MODULE sonic_port_loader
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <portsync/error.hpp>
#include <portsync/sonic/port_loader.hpp>
#include <string>
#include <vector>

#include "support/cpp/fakes.hpp"
#include "support/cpp/redis_server.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;
using sonic::LoaderEvent;

namespace {

using Lines = std::vector<std::string>;

std::string sorted(const std::string& words) {
  Lines all;
  std::size_t at = 0;
  while (at <= words.size()) {
    const std::size_t end = std::min(words.find(' ', at), words.size());
    all.push_back(words.substr(at, end - at));
    at = end + 1;
  }
  std::sort(all.begin(), all.end());
  std::string text;
  for (const std::string& word : all) text += (text.empty() ? "" : " ") + word;
  return text;
}

struct Fixture {
  Fixture() : descriptor(::eventfd(0, EFD_CLOEXEC)) {
    links.descriptor = descriptor;
    links.lasting = true;
    for (auto [database, number] : {std::pair{&options.config_db, 4}, {&options.appl_db, 0}, {&options.state_db, 6}}) {
      database->connection.socket_path = server.socket_path();
      database->connection.database = number;
      database->connection.retry_interval = 20ms;
      database->connection.timeout = 2s;
      database->connection.client_name = "portsyncd-sonic-test";
      database->separator = number == 0 ? ":" : "|";
    }
    options.poll_interval = 20ms;
    options.set_link_down = [this](std::int32_t ifindex) {
      set_down.push_back(ifindex);
      return set_down_error;
    };
  }
  ~Fixture() { ::close(descriptor); }

  std::string redis(int number, const std::vector<std::string>& words) {
    RedisClient client(server.socket_path());
    client({"SELECT", std::to_string(number)});
    return client(words);
  }
  std::string appl(const std::vector<std::string>& words) { return redis(0, words); }
  void configure(const std::vector<std::string>& ports) {
    for (const std::string& port : ports) redis(4, {"HSET", "PORT|" + port, "lanes", "1", "alias", port});
    redis(4, {"SET", "CONFIG_DB_INITIALIZED", "1"});
  }
  // As orchagent does: everything that is staged is published.
  void pop() {
    appl({"EVAL",
          "for _, key in ipairs(redis.call('SMEMBERS', 'PORT_TABLE_KEY_SET')) do "
          "  local fields = redis.call('HGETALL', '_PORT_TABLE:' .. key) "
          "  for i = 1, #fields, 2 do redis.call('HSET', 'PORT_TABLE:' .. key, fields[i], fields[i + 1]) end "
          "  redis.call('DEL', '_PORT_TABLE:' .. key) "
          "end redis.call('DEL', 'PORT_TABLE_KEY_SET')",
          "0"});
  }

  void start() {
    loader = sonic::make_port_loader(links, options);
    BOOST_REQUIRE(!loader->links().start([this](const LinkEvent& event) {
      if (event.kind == LinkEvent::Kind::changed && event.before == nullptr) told.push_back(event.link->name);
      if (event.kind == LinkEvent::Kind::removed) told.push_back("-" + event.link->name);
    }));
    BOOST_REQUIRE(!loader->start([this](const LoaderEvent& event) { on_event(event); }));
  }
  void on_event(const LoaderEvent& event) {
    switch (event.kind) {
      case LoaderEvent::Kind::waiting:
        return events.push_back("waiting for " + std::string(event.text));
      case LoaderEvent::Kind::started:
        return events.push_back("started " + std::string(to_string(event.mode)) + " " + std::to_string(event.count));
      case LoaderEvent::Kind::link_set_down:
        return events.push_back("down " + std::string(event.port));
      case LoaderEvent::Kind::links_kept:
        return events.push_back("kept " + std::to_string(event.count));
      case LoaderEvent::Kind::resumed:
        return events.push_back("resumed");
      case LoaderEvent::Kind::running:
        return events.push_back("running");
      case LoaderEvent::Kind::port_init_done:
        return events.push_back("init done");
      case LoaderEvent::Kind::ports_missing: {
        std::string text = "missing";
        for (const std::string& port : *event.ports) text += " " + port;
        return events.push_back(text);
      }
      case LoaderEvent::Kind::refused:
        return events.push_back("refused");
      case LoaderEvent::Kind::data_lost:
        return events.push_back("data lost");
      case LoaderEvent::Kind::config_done_gone:
        return events.push_back("config done gone");
      case LoaderEvent::Kind::another_loader:
        return events.push_back("another " + std::string(event.text));
    }
  }
  void snapshot(const std::vector<LinkState>& all = {}) {
    links.snapshot_begin(Cause::initial);
    for (const LinkState& link : all) links.change(link, Cause::initial);
    links.snapshot_end(Cause::initial);
  }

  template <typename Condition>
  [[nodiscard]] bool drive(Condition condition, std::chrono::milliseconds limit = 10s) {
    const TimePoint deadline = Clock::now() + limit;
    while (!condition()) {
      if (Clock::now() >= deadline) return false;
      pollfd watched[]{{loader->fd(), POLLIN, 0}, {loader->links().fd(), POLLIN, 0}};
      ::poll(watched, 2, 20);
      if (watched[0].revents != 0) BOOST_REQUIRE(!loader->process());
      if (watched[1].revents != 0) BOOST_REQUIRE(!loader->links().process());
    }
    return true;
  }
  [[nodiscard]] bool happens(const std::string& event) {
    return drive([&] { return std::find(events.begin(), events.end(), event) != events.end(); });
  }
  [[nodiscard]] bool is_told(const std::string& link) {
    return drive([&] { return std::find(told.begin(), told.end(), link) != told.end(); });
  }
  int turns_in_200_ms() {
    settle();
    int turns = 0;
    (void)drive([&turns] { return ++turns < 0; }, 200ms);
    return turns;
  }
  // Everything that was sent has been answered: a command of the loader's own connection would be answered after them.
  void settle() {
    (void)drive([] { return false; }, 100ms);
  }
  void run_cold(const std::vector<std::string>& ports) {
    configure(ports);
    start();
    snapshot();
    BOOST_REQUIRE(happens("running"));
  }

  void have_init_done_refused() {
    run_cold({"Ethernet0"});
    pop();
    redis(0, {"CONFIG", "SET", "maxmemory", "1"});
    links.change(make_link(10, "Ethernet0"));
    BOOST_REQUIRE(happens("refused"));
  }

  RedisServer server{{"--notify-keyspace-events", "AKE"}};
  int descriptor;
  FakeSource links;
  sonic::PortLoaderOptions options;
  std::unique_ptr<sonic::PortLoader> loader;
  Lines events;
  Lines told;
  std::vector<std::int32_t> set_down;
  std::error_code set_down_error;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_cold_start_stages_the_ports_and_then_port_config_done, Fixture) {
  run_cold({"Ethernet0", "Ethernet4"});
  BOOST_TEST(events == (Lines{"started cold 2", "running"}));
  BOOST_TEST(sorted(appl({"KEYS", "*"})) ==
             "PORT_TABLE_KEY_SET _PORT_TABLE:Ethernet0 _PORT_TABLE:Ethernet4 _PORT_TABLE:PortConfigDone");
  BOOST_TEST(sorted(appl({"HGETALL", "_PORT_TABLE:Ethernet0"})) == "1 Ethernet0 alias lanes");
  BOOST_TEST(appl({"HGETALL", "_PORT_TABLE:PortConfigDone"}) == "count 2");
  BOOST_TEST(redis(6, {"HGETALL", "WARM_RESTART_TABLE|portsyncd"}) == "restore_count 0");
}

BOOST_FIXTURE_TEST_CASE(no_port_is_a_configuration_too, Fixture) {
  run_cold({});
  BOOST_TEST(happens("init done"));
  BOOST_TEST(appl({"HGETALL", "_PORT_TABLE:PortConfigDone"}) == "count 0");
  BOOST_TEST(appl({"HGETALL", "_PORT_TABLE:PortInitDone"}) == "lanes 0");
  BOOST_TEST(loader->waiting_for() == "");
}

BOOST_FIXTURE_TEST_CASE(it_waits_for_config_db_to_be_initialized, Fixture) {
  redis(4, {"HSET", "PORT|Ethernet0", "lanes", "1"});
  start();
  snapshot();
  BOOST_TEST(happens("waiting for CONFIG_DB_INITIALIZED in CONFIG_DB"));
  BOOST_TEST(appl({"DBSIZE"}) == "0");
  configure({"Ethernet4"});
  BOOST_TEST(happens("started cold 2"));
}

BOOST_FIXTURE_TEST_CASE(it_waits_for_the_first_snapshot, Fixture) {
  configure({"Ethernet0"});
  start();
  settle();
  BOOST_TEST(events.empty());
  BOOST_TEST(appl({"DBSIZE"}) == "0");
  snapshot();
  BOOST_TEST(happens("running"));
}

BOOST_FIXTURE_TEST_CASE(a_link_counts_when_orchagent_has_its_port, Fixture) {
  run_cold({"Ethernet0"});
  links.change(make_link(10, "Ethernet0"));
  settle();
  BOOST_TEST(told.empty());
  pop();
  BOOST_TEST(is_told("Ethernet0"));
  BOOST_TEST(happens("init done"));
  BOOST_TEST(appl({"HGETALL", "_PORT_TABLE:PortInitDone"}) == "lanes 0");
}

BOOST_FIXTURE_TEST_CASE(a_link_that_waits_hears_of_its_port_by_an_event_with_any_separator, Fixture) {
  options.poll_interval = 60s;
  options.appl_db.separator = "!";
  run_cold({"Ethernet0"});
  links.change(make_link(10, "Ethernet0"));
  BOOST_REQUIRE(drive([this] { return appl({"PUBSUB", "NUMPAT"}) == "1"; }));
  settle();  // it looks once more when it is subscribed
  appl({"HSET", "PORT_TABLE!Ethernet0", "lanes", "1"});
  BOOST_TEST(is_told("Ethernet0"));
}

BOOST_FIXTURE_TEST_CASE(without_keyspace_events_the_port_is_found_all_the_same, Fixture) {
  redis(0, {"CONFIG", "SET", "notify-keyspace-events", ""});
  run_cold({"Ethernet0"});
  links.change(make_link(10, "Ethernet0"));
  settle();
  pop();
  BOOST_TEST(is_told("Ethernet0"));
}

BOOST_FIXTURE_TEST_CASE(port_init_done_needs_every_port, Fixture) {
  options.missing_after = 50ms;
  options.missing_interval = 50ms;
  run_cold({"Ethernet0", "Ethernet4"});
  pop();
  BOOST_TEST(happens("missing Ethernet0 Ethernet4"));
  links.change(make_link(10, "Ethernet0"));
  BOOST_TEST(happens("missing Ethernet4"));
  BOOST_TEST(loader->waiting_for() == "1 of 2 ports");
  BOOST_TEST(appl({"EXISTS", "_PORT_TABLE:PortInitDone"}) == "0");
  links.change(make_link(11, "Ethernet4"));
  BOOST_TEST(happens("init done"));
}

BOOST_FIXTURE_TEST_CASE(a_port_of_the_run_time_is_picked_up, Fixture) {
  run_cold({});
  links.change(make_link(10, "Ethernet8"));
  settle();
  BOOST_TEST(told.empty());
  appl({"HSET", "PORT_TABLE:Ethernet8", "lanes", "8"});
  BOOST_TEST(is_told("Ethernet8"));
}

BOOST_FIXTURE_TEST_CASE(after_its_removal_a_port_is_looked_for_again, Fixture) {
  run_cold({"Ethernet0"});
  pop();
  links.change(make_link(10, "Ethernet0"));
  BOOST_REQUIRE(is_told("Ethernet0"));
  links.remove(10);
  appl({"DEL", "PORT_TABLE:Ethernet0"});
  told.clear();
  links.change(make_link(11, "Ethernet0"));
  settle();
  BOOST_TEST(told.empty());
  appl({"HSET", "PORT_TABLE:Ethernet0", "lanes", "1"});
  BOOST_TEST(is_told("Ethernet0"));
}

BOOST_FIXTURE_TEST_CASE(leftovers_are_set_down_before_port_config_done_and_ignored, Fixture) {
  configure({"Ethernet0"});
  start();
  links.snapshot_begin(Cause::initial);
  for (int i = 0; i < 100; ++i) links.change(make_link(10 + i, "Ethernet" + std::to_string(4 * i)), Cause::initial);
  links.snapshot_end(Cause::initial);
  BOOST_REQUIRE(happens("running"));
  BOOST_TEST(set_down.size() == 100U);
  BOOST_TEST(std::count(events.begin(), events.end(), "down Ethernet0") == 1);
  BOOST_TEST(events.back() == "running");
  pop();
  links.change(make_link(10, "Ethernet0", false));
  settle();
  BOOST_TEST(told.empty());
  links.remove(10);
  links.change(make_link(200, "Ethernet0"));
  BOOST_TEST(is_told("Ethernet0"));
}

BOOST_FIXTURE_TEST_CASE(who_may_not_set_links_down_adopts_them, Fixture) {
  set_down_error = std::make_error_code(std::errc::operation_not_permitted);
  configure({"Ethernet0"});
  start();
  snapshot({make_link(10, "Ethernet0"), make_link(11, "Ethernet4")});
  BOOST_REQUIRE(happens("running"));
  BOOST_TEST(set_down.size() == 1U);
  BOOST_TEST(std::count(events.begin(), events.end(), "kept 2") == 1);
  pop();
  BOOST_TEST(is_told("Ethernet0"));
}

BOOST_FIXTURE_TEST_CASE(what_swss_does_not_make_is_never_set_down, Fixture) {
  options.filter.match = {"*"};
  configure({"Ethernet0", "front1"});
  start();
  snapshot({make_link(1, "lo"), make_link(2, "eth0"), make_link(10, "Ethernet0"), make_link(11, "front1")});
  BOOST_REQUIRE(happens("running"));
  std::sort(set_down.begin(), set_down.end());
  BOOST_TEST((set_down == std::vector<std::int32_t>{10, 11}));
}

BOOST_FIXTURE_TEST_CASE(on_a_host_leftovers_are_adopted_and_it_is_said, Fixture) {
  options.set_link_down = nullptr;
  configure({"Ethernet0"});
  start();
  snapshot({make_link(10, "Ethernet0")});
  BOOST_TEST(happens("kept 1"));
  BOOST_REQUIRE(happens("running"));
  pop();
  BOOST_TEST(is_told("Ethernet0"));
}

BOOST_FIXTURE_TEST_CASE(on_a_dpu_links_are_adopted, Fixture) {
  redis(4, {"HSET", "DEVICE_METADATA|localhost", "switch_type", "dpu"});
  configure({"Ethernet0"});
  start();
  snapshot({make_link(10, "Ethernet0")});
  BOOST_REQUIRE(happens("started dpu 1"));
  BOOST_REQUIRE(happens("running"));
  BOOST_TEST(set_down.empty());
  pop();
  BOOST_TEST(is_told("Ethernet0"));
}

BOOST_FIXTURE_TEST_CASE(restarted_alone_it_loads_nothing_and_tells_all_at_once, Fixture) {
  appl({"HSET", "PORT_TABLE:PortConfigDone", "count", "1"});
  appl({"HSET", "PORT_TABLE:PortInitDone", "lanes", "0"});
  appl({"HSET", "PORT_TABLE:Ethernet0", "lanes", "1"});
  configure({"Ethernet0"});
  start();
  snapshot({make_link(10, "Ethernet0")});
  BOOST_TEST(is_told("Ethernet0"));
  settle();
  BOOST_TEST(events == (Lines{"started adopted 1", "running"}));
  BOOST_TEST(appl({"KEYS", "_*"}) == "");
  BOOST_TEST(appl({"EXISTS", "PORT_TABLE_KEY_SET"}) == "0");
}

BOOST_FIXTURE_TEST_CASE(restarted_before_port_init_done_it_goes_on_where_it_stood, Fixture) {
  appl({"HSET", "_PORT_TABLE:PortConfigDone", "count", "1"});  // staged, and not taken yet
  configure({"Ethernet0"});
  start();
  snapshot();
  BOOST_REQUIRE(happens("started adopted 1"));
  appl({"HSET", "PORT_TABLE:Ethernet0", "lanes", "1"});
  links.change(make_link(10, "Ethernet0"));
  BOOST_TEST(happens("init done"));
}

BOOST_FIXTURE_TEST_CASE(a_warm_start_counts_and_says_port_init_done_again, Fixture) {
  redis(6, {"HSET", "WARM_RESTART_ENABLE_TABLE|swss", "enable", "true"});
  redis(6, {"HSET", "WARM_RESTART_TABLE|portsyncd", "restore_count", "2"});
  appl({"HSET", "PORT_TABLE:PortConfigDone", "count", "1"});
  appl({"HSET", "PORT_TABLE:PortInitDone", "lanes", "0"});
  appl({"HSET", "PORT_TABLE:Ethernet0", "lanes", "1"});
  configure({"Ethernet0"});
  start();
  snapshot({make_link(10, "Ethernet0")});
  BOOST_TEST(happens("init done"));
  BOOST_TEST(events.front() == "started warm 1");
  BOOST_TEST(redis(6, {"HGETALL", "WARM_RESTART_TABLE|portsyncd"}) == "restore_count 3");
  BOOST_TEST(appl({"SMEMBERS", "PORT_TABLE_KEY_SET"}) == "PortInitDone");
  BOOST_TEST(set_down.empty());
}

BOOST_FIXTURE_TEST_CASE(a_restart_of_redis_that_kept_its_data_is_no_loss, Fixture) {
  run_cold({"Ethernet0"});
  pop();
  const std::string value = appl({"HGETALL", "PORT_TABLE:PortConfigDone"});
  server.kill();
  settle();
  server.start();
  appl({"HSET", "PORT_TABLE:PortConfigDone", "count", "1"});  // before the loader can look, as if it had been saved
  appl({"HSET", "PORT_TABLE:Ethernet0", "lanes", "1"});
  links.change(make_link(10, "Ethernet0"));
  BOOST_TEST(happens("init done"));
  BOOST_TEST(std::count(events.begin(), events.end(), "data lost") == 0);
  BOOST_TEST(value == "count 1");
}

BOOST_FIXTURE_TEST_CASE(a_server_that_knows_no_port_config_done_has_lost_its_data, Fixture) {
  run_cold({"Ethernet0"});
  server.kill();
  server.start();
  BOOST_TEST(happens("data lost"));
}

BOOST_FIXTURE_TEST_CASE(data_lost_while_it_adopts_is_a_loss_too, Fixture) {
  appl({"HSET", "PORT_TABLE:PortConfigDone", "count", "1"});
  configure({"Ethernet0"});
  options.poll_interval = 60s;
  redis(0, {"ACL", "SETUSER", "default", "-@hash", "+hgetall"});  // restore_count cannot be written
  start();
  snapshot();
  BOOST_REQUIRE(happens("refused"));
  server.kill();
  server.start();
  configure({"Ethernet0"});
  BOOST_TEST(happens("data lost"));
  BOOST_TEST(appl({"DBSIZE"}) == "0");
}

BOOST_FIXTURE_TEST_CASE(into_a_database_that_lost_its_data_nothing_is_written, Fixture) {
  run_cold({"Ethernet0"});
  pop();
  server.kill();
  links.change(make_link(10, "Ethernet0"));
  settle();
  server.start();
  appl({"HSET", "PORT_TABLE:Ethernet0", "lanes", "1"});  // all that PortInitDone would wait for
  BOOST_TEST(happens("data lost"));
  settle();
  BOOST_TEST(std::count(events.begin(), events.end(), "init done") == 0);
  BOOST_TEST(appl({"KEYS", "_*"}) == "");
}

BOOST_FIXTURE_TEST_CASE(a_refused_look_for_lost_data_is_repeated, Fixture) {
  run_cold({"Ethernet0"});
  server.kill();
  settle();
  server.start(true, {"--rename-command", "EXISTS", ""});
  settle();
  settle();
  BOOST_TEST(std::count(events.begin(), events.end(), "resumed") == 0);
  server.kill();
  server.start();
  BOOST_TEST(happens("data lost"));
}

BOOST_FIXTURE_TEST_CASE(appl_db_away_while_it_runs_is_told_and_its_return_too, Fixture) {
  run_cold({"Ethernet0"});
  appl({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  BOOST_TEST(happens("resumed"));
  BOOST_TEST(std::any_of(events.begin(), events.end(),
                         [](const std::string& event) { return event.rfind("waiting for APPL_DB", 0) == 0; }));
}

BOOST_FIXTURE_TEST_CASE(while_appl_db_is_away_it_rests, Fixture) {
  options.missing_after = 1ms;
  run_cold({"Ethernet0"});
  server.kill();
  BOOST_TEST(turns_in_200_ms() < 200);
}

BOOST_FIXTURE_TEST_CASE(it_rests_when_appl_db_goes_before_something_is_tried_again, Fixture) {
  options.look_interval = 1ms;
  have_init_done_refused();
  BOOST_TEST(turns_in_200_ms() < 200);
  server.kill();
  BOOST_TEST(turns_in_200_ms() < 200);
}

BOOST_FIXTURE_TEST_CASE(a_refused_look_for_a_port_is_over_when_it_succeeds, Fixture) {
  run_cold({"Ethernet0"});
  pop();
  appl({"ACL", "SETUSER", "default", "-exists"});
  links.change(make_link(10, "Ethernet0"));
  BOOST_REQUIRE(happens("refused"));
  appl({"ACL", "SETUSER", "default", "+exists"});
  BOOST_TEST(happens("resumed"));
  BOOST_TEST(is_told("Ethernet0"));
}

BOOST_FIXTURE_TEST_CASE(a_refused_look_for_a_port_is_over_when_its_link_has_gone, Fixture) {
  run_cold({"Ethernet0"});
  appl({"ACL", "SETUSER", "default", "-exists"});
  links.change(make_link(10, "Ethernet0"));
  BOOST_REQUIRE(happens("refused"));
  links.remove(10);
  BOOST_TEST(happens("resumed"));
}

BOOST_FIXTURE_TEST_CASE(missing_ports_are_told_again_after_a_lost_connection, Fixture) {
  options.missing_after = 1ms;
  options.missing_interval = 60s;
  run_cold({"Ethernet0"});
  BOOST_REQUIRE(happens("missing Ethernet0"));
  appl({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  BOOST_REQUIRE(happens("resumed"));
  BOOST_TEST(events.back() == "missing Ethernet0");
}

BOOST_FIXTURE_TEST_CASE(a_refused_port_init_done_is_told_once_and_tried_again_with_pauses, Fixture) {
  have_init_done_refused();
  (void)drive([] { return false; }, 300ms);
  BOOST_TEST(std::count(events.begin(), events.end(), "refused") == 1);
  const std::string calls = appl({"INFO", "commandstats"});
  const std::size_t at = calls.find("cmdstat_eval:calls=");
  BOOST_REQUIRE(at != std::string::npos);
  BOOST_TEST(std::stoi(calls.substr(at + 19)) < 40);
  redis(0, {"CONFIG", "SET", "maxmemory", "0"});
  BOOST_TEST(happens("init done"));
}

BOOST_FIXTURE_TEST_CASE(port_init_done_waits_for_the_rows, Fixture) {
  bool stored = false;
  options.rows_are_stored = [&stored] { return stored; };
  run_cold({"Ethernet0"});
  pop();
  links.change(make_link(10, "Ethernet0"));
  BOOST_REQUIRE(is_told("Ethernet0"));
  settle();
  BOOST_TEST(appl({"EXISTS", "_PORT_TABLE:PortInitDone"}) == "0");
  stored = true;
  loader->rows_may_be_stored();
  BOOST_TEST(happens("init done"));
}

BOOST_FIXTURE_TEST_CASE(ports_that_were_refused_have_no_port_config_done, Fixture) {
  appl({"SET", "_PORT_TABLE:Ethernet4", "a string"});
  configure({"Ethernet0", "Ethernet4"});
  start();
  snapshot();
  BOOST_REQUIRE(happens("refused"));
  settle();
  BOOST_TEST(appl({"EXISTS", "_PORT_TABLE:PortConfigDone"}) == "0");
  appl({"DEL", "_PORT_TABLE:Ethernet4"});
  BOOST_REQUIRE(happens("running"));
  BOOST_TEST(appl({"HGETALL", "_PORT_TABLE:PortConfigDone"}) == "count 2");
}

BOOST_FIXTURE_TEST_CASE(a_cold_start_that_is_interrupted_does_not_become_a_warm_one, Fixture) {
  redis(6, {"HSET", "WARM_RESTART_ENABLE_TABLE|swss", "enable", "true"});
  redis(6,
        {"HSET", "WARM_RESTART_TABLE|portsyncd", "restore_count", "0"});  // as it would be, had it been written first
  run_cold({"Ethernet0"});
  BOOST_TEST(events.front() == "started cold 1");
}

BOOST_FIXTURE_TEST_CASE(stopped_it_writes_nothing, Fixture) {
  configure({"Ethernet0"});
  start();
  settle();
  loader->stop();
  snapshot({make_link(10, "Ethernet0")});
  settle();
  BOOST_TEST(appl({"DBSIZE"}) == "0");
  BOOST_TEST(set_down.empty());
}

BOOST_FIXTURE_TEST_CASE(a_lost_connection_is_no_loss_of_data, Fixture) {
  run_cold({"Ethernet0"});
  appl({"FLUSHDB"});  // the same server process
  appl({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  BOOST_TEST(happens("config done gone"));
  settle();
  BOOST_TEST(std::count(events.begin(), events.end(), "data lost") == 0);
  BOOST_TEST(std::count(events.begin(), events.end(), "resumed") == 0);
}

BOOST_FIXTURE_TEST_CASE(port_config_done_that_is_taken_away_is_told_and_nothing_more_is_said, Fixture) {
  options.look_interval = 20ms;
  run_cold({"Ethernet0"});
  pop();
  BOOST_TEST(turns_in_200_ms() < 100);
  BOOST_TEST(events.back() == "running");  // looked for, and there
  appl({"FLUSHDB"});
  BOOST_REQUIRE(happens("config done gone"));
  links.change(make_link(10, "Ethernet0"));
  appl({"HSET", "PORT_TABLE:Ethernet0", "lanes", "1"});
  BOOST_TEST(is_told("Ethernet0"));
  settle();
  BOOST_TEST(appl({"EXISTS", "_PORT_TABLE:PortInitDone"}) == "0");
  BOOST_TEST(std::count(events.begin(), events.end(), "config done gone") == 1);
  appl({"ACL", "SETUSER", "default", "-exists"});
  links.change(make_link(11, "Ethernet4"));
  BOOST_REQUIRE(happens("refused"));
  appl({"ACL", "SETUSER", "default", "+exists"});
  appl({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  settle();
  BOOST_TEST(std::count(events.begin(), events.end(), "resumed") == 0);  // all is not right for that
  appl({"HSET", "PORT_TABLE:PortConfigDone", "count", "1"});
  BOOST_TEST(happens("resumed"));
  BOOST_TEST(happens("init done"));
}

BOOST_FIXTURE_TEST_CASE(port_init_done_is_not_said_to_a_swss_that_was_started_anew, Fixture) {
  have_init_done_refused();
  appl({"FLUSHDB"});
  redis(0, {"CONFIG", "SET", "maxmemory", "0"});
  BOOST_TEST(happens("config done gone"));  // looked for at once
  settle();
  BOOST_TEST(appl({"DBSIZE"}) == "0");
}

BOOST_FIXTURE_TEST_CASE(redis_restarted_before_port_config_done_begins_the_start_anew, Fixture) {
  configure({"Ethernet0"});
  start();
  settle();  // all is read but for the links
  server.kill();
  server.start();
  BOOST_TEST(happens("waiting for CONFIG_DB_INITIALIZED in CONFIG_DB"));
  snapshot();
  configure({"Ethernet4"});
  BOOST_REQUIRE(happens("running"));
  BOOST_TEST(sorted(appl({"KEYS", "_*"})) == "_PORT_TABLE:Ethernet4 _PORT_TABLE:PortConfigDone");
}

BOOST_FIXTURE_TEST_CASE(a_refused_write_is_told_and_tried_again, Fixture) {
  configure({"Ethernet0"});
  redis(0, {"CONFIG", "SET", "maxmemory", "1"});
  start();
  snapshot();
  BOOST_TEST(happens("refused"));
  redis(0, {"CONFIG", "SET", "maxmemory", "0"});
  BOOST_REQUIRE(happens("running"));
  BOOST_TEST(appl({"EXISTS", "_PORT_TABLE:Ethernet0", "_PORT_TABLE:PortConfigDone"}) == "2");
}

BOOST_FIXTURE_TEST_CASE(a_second_loader_gives_way, Fixture) {
  configure({"Ethernet0"});
  options.loader_name_prefix = "portsyncd-sonic-";
  RedisClient other(server.socket_path());
  other({"CLIENT", "SETNAME", "portsyncd-sonic-other"});
  start();
  snapshot();
  BOOST_TEST(happens("another portsyncd-sonic-other"));
  BOOST_TEST(appl({"DBSIZE"}) == "0");
}

BOOST_FIXTURE_TEST_CASE(of_two_that_start_together_the_older_goes_on, Fixture) {
  configure({"Ethernet0"});
  options.loader_name_prefix = "portsyncd-sonic-";
  start();
  settle();
  RedisClient younger(server.socket_path());
  younger({"CLIENT", "SETNAME", "portsyncd-sonic-other"});
  snapshot();
  BOOST_TEST(happens("running"));
}

BOOST_FIXTURE_TEST_CASE(a_predecessor_that_has_just_ended_is_waited_for, Fixture) {
  configure({"Ethernet0"});
  options.loader_name_prefix = "portsyncd-sonic-";
  options.poll_interval = 200ms;
  auto other = std::make_unique<RedisClient>(server.socket_path());
  (*other)({"CLIENT", "SETNAME", "portsyncd-sonic-other"});
  start();
  snapshot();
  BOOST_REQUIRE(happens("waiting for portsyncd-sonic-other, another portsyncd that loads these ports, to end"));
  other.reset();
  BOOST_TEST(happens("running"));
}

BOOST_FIXTURE_TEST_CASE(misuse_is_an_error, Fixture) {
  loader = sonic::make_port_loader(links, options);
  BOOST_TEST((loader->process() == portsync::Errc::not_started));
  BOOST_REQUIRE(!loader->start([](const LoaderEvent&) {}));
  BOOST_TEST((loader->start([](const LoaderEvent&) {}) == portsync::Errc::already_started));
  options.appl_db.separator.clear();
  BOOST_CHECK_THROW((void)sonic::make_port_loader(links, options), std::invalid_argument);
}
