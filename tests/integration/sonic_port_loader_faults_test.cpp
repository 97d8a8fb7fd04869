// SPDX-License-Identifier: Apache-2.0
// The loader when a Redis refuses, goes away, or loses its data; the test makes the link events.
#define BOOST_TEST_MODULE sonic_port_loader_faults
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <string>

#include "support/cpp/loader_fixture.hpp"
#include "support/cpp/redis_channel.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

using Fixture = LoaderFixture;

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
  appl({"HSET", "PORT_TABLE:Ethernet0", "lanes", "1"});  // the only thing that PortInitDone could wait for
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

BOOST_FIXTURE_TEST_CASE(appl_db_away_while_it_runs_is_reported_and_its_return_too, Fixture) {
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
  BOOST_TEST(is_reported("Ethernet0"));
}

BOOST_FIXTURE_TEST_CASE(a_refused_look_for_a_port_is_over_when_its_link_has_gone, Fixture) {
  run_cold({"Ethernet0"});
  appl({"ACL", "SETUSER", "default", "-exists"});
  links.change(make_link(10, "Ethernet0"));
  BOOST_REQUIRE(happens("refused"));
  links.remove(10);
  BOOST_TEST(happens("resumed"));
}

BOOST_FIXTURE_TEST_CASE(missing_ports_are_reported_again_after_a_lost_connection, Fixture) {
  options.missing_after = 1ms;
  options.missing_interval = 60s;
  run_cold({"Ethernet0"});
  BOOST_REQUIRE(happens("missing Ethernet0"));
  appl({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  BOOST_REQUIRE(happens("resumed"));
  BOOST_TEST(events.back() == "missing Ethernet0");
}

BOOST_FIXTURE_TEST_CASE(a_refused_port_init_done_is_reported_once_and_tried_again_with_pauses, Fixture) {
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
        // As if the interrupted start had written it first.
        {"HSET", "WARM_RESTART_TABLE|portsyncd", "restore_count", "0"});
  run_cold({"Ethernet0"});
  BOOST_TEST(events.front() == "started cold 1");
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

BOOST_FIXTURE_TEST_CASE(a_removed_port_config_done_is_reported_and_nothing_more, Fixture) {
  options.look_interval = 20ms;
  run_cold({"Ethernet0"});
  pop();
  BOOST_TEST(turns_in_200_ms() < 100);
  BOOST_TEST(events.back() == "running");  // the loader looked for it, and it is there
  appl({"FLUSHDB"});
  BOOST_REQUIRE(happens("config done gone"));
  links.change(make_link(10, "Ethernet0"));
  appl({"HSET", "PORT_TABLE:Ethernet0", "lanes", "1"});
  BOOST_TEST(is_reported("Ethernet0"));
  settle();
  BOOST_TEST(appl({"EXISTS", "_PORT_TABLE:PortInitDone"}) == "0");
  BOOST_TEST(std::count(events.begin(), events.end(), "config done gone") == 1);
  appl({"ACL", "SETUSER", "default", "-exists"});
  links.change(make_link(11, "Ethernet4"));
  BOOST_REQUIRE(happens("refused"));
  appl({"ACL", "SETUSER", "default", "+exists"});
  appl({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  settle();
  BOOST_TEST(std::count(events.begin(), events.end(), "resumed") == 0);  // because PortConfigDone is still absent
  appl({"HSET", "PORT_TABLE:PortConfigDone", "count", "1"});
  BOOST_TEST(happens("resumed"));
  BOOST_TEST(happens("init done"));
}

BOOST_FIXTURE_TEST_CASE(port_init_done_is_not_said_to_a_swss_that_was_started_anew, Fixture) {
  have_init_done_refused();
  appl({"FLUSHDB"});
  redis(0, {"CONFIG", "SET", "maxmemory", "0"});
  BOOST_TEST(happens("config done gone"));  // the loader looks for it at once
  settle();
  BOOST_TEST(appl({"DBSIZE"}) == "0");
}

BOOST_FIXTURE_TEST_CASE(redis_restarted_before_port_config_done_begins_the_start_anew, Fixture) {
  configure({"Ethernet0"});
  start();
  settle();  // everything is read except the links
  server.kill();
  server.start();
  BOOST_TEST(happens("waiting for CONFIG_DB_INITIALIZED in CONFIG_DB"));
  snapshot();
  configure({"Ethernet4"});
  BOOST_REQUIRE(happens("running"));
  BOOST_TEST(sorted(appl({"KEYS", "_*"})) == "_PORT_TABLE:Ethernet4 _PORT_TABLE:PortConfigDone");
}

BOOST_FIXTURE_TEST_CASE(a_start_begun_anew_adds_the_names_that_config_db_has_by_then, Fixture) {
  options.configured_names_match = true;
  configure({"Recirc0"});
  start();
  BOOST_REQUIRE(happens("added Recirc0"));
  server.kill();
  server.start();
  snapshot();
  configure({"Recirc1"});
  BOOST_REQUIRE(happens("added Recirc1"));
  BOOST_REQUIRE(happens("running"));
  pop();
  links.change(make_link(10, "Recirc1"));
  BOOST_TEST(happens("init done"));
}

BOOST_FIXTURE_TEST_CASE(a_refused_write_is_reported_and_tried_again, Fixture) {
  configure({"Ethernet0"});
  redis(0, {"CONFIG", "SET", "maxmemory", "1"});
  start();
  snapshot();
  BOOST_TEST(happens("refused"));
  redis(0, {"CONFIG", "SET", "maxmemory", "0"});
  BOOST_REQUIRE(happens("running"));
  BOOST_TEST(appl({"EXISTS", "_PORT_TABLE:Ethernet0", "_PORT_TABLE:PortConfigDone"}) == "2");
}

BOOST_FIXTURE_TEST_CASE(a_refused_publish_is_a_failed_write_and_no_consumer_counts_as_notified, Fixture) {
  RedisChannel channel(server.socket_path(), "PORT_TABLE_CHANNEL@0");
  appl({"ACL", "SETUSER", "default", "-publish"});
  configure({"Ethernet0"});
  start();
  snapshot();
  BOOST_REQUIRE(happens("refused"));
  settle();  // the loader has tried again
  BOOST_TEST(events == (Lines{"started cold 1", "refused"}));
  appl({"ACL", "SETUSER", "default", "+publish"});
  BOOST_REQUIRE(happens("running"));
  BOOST_TEST(channel.messages().size() == 2U);  // of the port and of PortConfigDone
}

BOOST_FIXTURE_TEST_CASE(a_channel_that_may_not_be_used_is_a_failed_write_too, Fixture) {
  appl({"ACL", "SETUSER", "default", "resetchannels"});
  configure({"Ethernet0"});
  start();
  snapshot();
  BOOST_REQUIRE(happens("refused"));
  settle();
  BOOST_TEST(events == (Lines{"started cold 1", "refused"}));
  BOOST_TEST(appl({"EXISTS", "PORT_TABLE_KEY_SET"}) == "0");
  appl({"ACL", "SETUSER", "default", "allchannels"});
  BOOST_TEST(happens("running"));
}

BOOST_FIXTURE_TEST_CASE(a_port_config_done_that_no_consumer_was_given_is_none, Fixture) {
  // But not in PORT_TABLE_KEY_SET, because its message was refused.
  appl({"HSET", "_PORT_TABLE:PortConfigDone", "count", "1"});
  run_cold({"Ethernet0"});
  BOOST_TEST(events == (Lines{"started cold 1", "running"}));
  pop();
  BOOST_TEST(appl({"EXISTS", "PORT_TABLE:Ethernet0", "PORT_TABLE:PortConfigDone"}) == "2");
}

BOOST_FIXTURE_TEST_CASE(a_server_that_refuses_the_look_after_a_reconnect_is_named, Fixture) {
  run_cold({"Ethernet0"});
  server.kill();
  settle();
  server.start(true, {"--rename-command", "EXISTS", ""});
  BOOST_TEST(happens("refused"));
  BOOST_TEST(std::count(events.begin(), events.end(), "refused") == 1);
}

// The look reads two keys, and the second alone may be refused.
BOOST_FIXTURE_TEST_CASE(a_refused_look_for_port_init_done_is_named, Fixture) {
  options.look_interval = 20ms;
  run_cold({"Ethernet0"});
  appl({"ACL", "SETUSER", "default", "resetkeys", "~PORT_TABLE:PortConfigDone", "~PORT_TABLE_KEY_SET"});
  BOOST_TEST(happens("refused"));
  settle();
  BOOST_TEST(std::count(events.begin(), events.end(), "refused") == 1);
  BOOST_TEST(refusal.find("NOPERM") != std::string::npos);
  appl({"ACL", "SETUSER", "default", "allkeys"});
  BOOST_TEST(happens("resumed"));
}

BOOST_FIXTURE_TEST_CASE(a_server_whose_master_is_down_is_named_in_its_own_words, Fixture) {
  configure({"Ethernet0"});
  redis(0, {"CONFIG", "SET", "replica-serve-stale-data", "no"});
  redis(0, {"REPLICAOF", "127.0.0.1", "1"});
  start();
  snapshot();
  BOOST_TEST(drive([this] { return refusal.find("MASTERDOWN") != std::string::npos; }));
  redis(0, {"REPLICAOF", "NO", "ONE"});
  BOOST_TEST(happens("running"));
}
