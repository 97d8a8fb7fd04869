// SPDX-License-Identifier: Apache-2.0
// The loader against a real Redis; the test makes the link events.
#define BOOST_TEST_MODULE sonic_port_loader
#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <portsync/error.hpp>
#include <portsync/sonic/port_loader.hpp>
#include <string>
#include <thread>

#include "support/cpp/loader_fixture.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

using Fixture = LoaderFixture;

BOOST_FIXTURE_TEST_CASE(a_cold_start_stages_the_ports_and_then_port_config_done, Fixture) {
  run_cold({"Ethernet0", "Ethernet4"});
  BOOST_TEST(events == (Lines{"started cold 2", "running"}));
  BOOST_TEST(sorted(appl({"KEYS", "*"})) ==
             "PORT_TABLE_KEY_SET _PORT_TABLE:Ethernet0 _PORT_TABLE:Ethernet4 _PORT_TABLE:PortConfigDone");
  BOOST_TEST(sorted(appl({"HGETALL", "_PORT_TABLE:Ethernet0"})) == "1 Ethernet0 alias lanes");
  BOOST_TEST(appl({"HGETALL", "_PORT_TABLE:PortConfigDone"}) == "count 2");
  BOOST_TEST(redis(6, {"HGETALL", "WARM_RESTART_TABLE|portsyncd"}) == "restore_count 0");
}

BOOST_FIXTURE_TEST_CASE(list_fields_are_written_without_what_marks_them, Fixture) {
  redis(4, {"HSET", "PORT|Ethernet0", "adv_speeds@", "1000,10000", "a@b@c", "1", "lanes", "1"});
  configure({});
  start();
  snapshot();
  BOOST_REQUIRE(happens("running"));
  BOOST_TEST(sorted(appl({"HGETALL", "_PORT_TABLE:Ethernet0"})) == "1 1 1000,10000 a adv_speeds lanes");
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
  BOOST_TEST(reported.empty());
  pop();
  BOOST_TEST(is_reported("Ethernet0"));
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
  BOOST_TEST(is_reported("Ethernet0"));
}

BOOST_FIXTURE_TEST_CASE(without_keyspace_events_the_port_is_found_all_the_same, Fixture) {
  redis(0, {"CONFIG", "SET", "notify-keyspace-events", ""});
  run_cold({"Ethernet0"});
  links.change(make_link(10, "Ethernet0"));
  settle();
  pop();
  BOOST_TEST(is_reported("Ethernet0"));
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
  BOOST_TEST(reported.empty());
  appl({"HSET", "PORT_TABLE:Ethernet8", "lanes", "8"});
  BOOST_TEST(is_reported("Ethernet8"));
}

BOOST_FIXTURE_TEST_CASE(after_its_removal_a_port_is_looked_for_again, Fixture) {
  run_cold({"Ethernet0"});
  pop();
  links.change(make_link(10, "Ethernet0"));
  BOOST_REQUIRE(is_reported("Ethernet0"));
  links.remove(10);
  appl({"DEL", "PORT_TABLE:Ethernet0"});
  reported.clear();
  links.change(make_link(11, "Ethernet0"));
  settle();
  BOOST_TEST(reported.empty());
  appl({"HSET", "PORT_TABLE:Ethernet0", "lanes", "1"});
  BOOST_TEST(is_reported("Ethernet0"));
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
  BOOST_TEST(reported.empty());
  links.remove(10);
  links.change(make_link(200, "Ethernet0"));
  BOOST_TEST(is_reported("Ethernet0"));
}

BOOST_FIXTURE_TEST_CASE(a_link_that_the_kernel_sets_down_slowly_keeps_the_loop_from_nothing, Fixture) {
  options.set_link_down = [](std::int32_t) {
    std::this_thread::sleep_for(500ms);  // as if the kernel's lock were held
    return std::error_code();
  };
  configure({"Ethernet0"});
  start();
  snapshot({make_link(10, "Ethernet0")});
  BOOST_REQUIRE(happens("down Ethernet0"));
  BOOST_TEST((longest_turn < 250ms));
  BOOST_TEST(happens("running"));
}

BOOST_FIXTURE_TEST_CASE(a_loader_may_go_while_the_kernel_sets_a_link_down, Fixture) {
  const auto begun = std::make_shared<std::atomic<bool>>(false);
  options.set_link_down = [begun](std::int32_t) {
    *begun = true;
    std::this_thread::sleep_for(100ms);
    return std::error_code();
  };
  configure({"Ethernet0"});
  start();
  snapshot({make_link(10, "Ethernet0")});
  BOOST_REQUIRE(drive([&] { return begun->load(); }));
  const TimePoint begin = Clock::now();
  loader.reset();
  BOOST_TEST((Clock::now() - begin < 90ms));
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
  BOOST_TEST(is_reported("Ethernet0"));
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

BOOST_FIXTURE_TEST_CASE(a_port_of_config_db_counts_whatever_its_name, Fixture) {
  options.configured_names_match = true;
  configure({"Ethernet0", "Recirc0"});
  start();
  snapshot({make_link(10, "Recirc0"), make_link(11, "Recirc1")});
  BOOST_REQUIRE(happens("running"));
  BOOST_TEST(std::count(events.begin(), events.end(), "added Recirc0") == 1);
  BOOST_TEST((set_down == std::vector<std::int32_t>{10}));
  links.change(make_link(20, "Ethernet0"));
  links.change(make_link(21, "Recirc0"));
  BOOST_TEST(is_reported("Recirc1"));
  BOOST_TEST(std::count(reported.begin(), reported.end(), "Recirc0") == 0);
  pop();
  BOOST_TEST(is_reported("Recirc0"));
  BOOST_TEST(happens("init done"));
}

BOOST_FIXTURE_TEST_CASE(names_that_the_filter_matches_are_not_added, Fixture) {
  options.configured_names_match = true;
  run_cold({"Ethernet0", "Ethernet4"});
  BOOST_TEST(
      std::none_of(events.begin(), events.end(), [](const auto& event) { return event.rfind("added", 0) == 0; }));
}

BOOST_FIXTURE_TEST_CASE(on_a_host_leftovers_are_adopted_and_it_is_said, Fixture) {
  options.set_link_down = nullptr;
  configure({"Ethernet0"});
  start();
  snapshot({make_link(10, "Ethernet0")});
  BOOST_TEST(happens("kept 1"));
  BOOST_REQUIRE(happens("running"));
  pop();
  BOOST_TEST(is_reported("Ethernet0"));
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
  BOOST_TEST(is_reported("Ethernet0"));
}

BOOST_FIXTURE_TEST_CASE(restarted_alone_it_loads_nothing_and_reports_all_at_once, Fixture) {
  appl({"HSET", "PORT_TABLE:PortConfigDone", "count", "1"});
  appl({"HSET", "PORT_TABLE:PortInitDone", "lanes", "0"});
  appl({"HSET", "PORT_TABLE:Ethernet0", "lanes", "1"});
  configure({"Ethernet0"});
  start();
  snapshot({make_link(10, "Ethernet0")});
  BOOST_TEST(is_reported("Ethernet0"));
  settle();
  BOOST_TEST(events == (Lines{"started adopted 1", "running"}));
  BOOST_TEST(appl({"KEYS", "_*"}) == "");
  BOOST_TEST(appl({"EXISTS", "PORT_TABLE_KEY_SET"}) == "0");
}

BOOST_FIXTURE_TEST_CASE(restarted_before_port_init_done_it_goes_on_where_it_stood, Fixture) {
  appl({"HSET", "_PORT_TABLE:PortConfigDone", "count", "1"});  // staged, and not popped yet
  appl({"SADD", "PORT_TABLE_KEY_SET", "PortConfigDone"});
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

BOOST_FIXTURE_TEST_CASE(port_init_done_waits_for_the_rows, Fixture) {
  bool stored = false;
  options.rows_are_stored = [&stored] { return stored; };
  run_cold({"Ethernet0"});
  pop();
  links.change(make_link(10, "Ethernet0"));
  BOOST_REQUIRE(is_reported("Ethernet0"));
  settle();
  BOOST_TEST(appl({"EXISTS", "_PORT_TABLE:PortInitDone"}) == "0");
  stored = true;
  loader->rows_may_be_stored();
  BOOST_TEST(happens("init done"));
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
