// SPDX-License-Identifier: Apache-2.0
// The Redis sink against a real redis-server that refuses, hangs, dies and returns.
#define BOOST_TEST_MODULE redis_faults
#include <boost/test/unit_test.hpp>
#include <portsync/redis/state_sink.hpp>
#include <thread>

#include "support/cpp/redis_server.hpp"
#include "support/cpp/sink_harness.hpp"
#include "support/cpp/sink_records.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

namespace {

const std::string row_of_e0 = "state ok netdev_oper_status up admin_status up mtu 9100";

struct Fixture {
  RedisServer server;
  RedisClient admin = server.client();
  redis::StateSinkOptions options = quick_options();
  std::unique_ptr<SinkHarness> harness;

  Fixture() { options.connection.socket_path = server.socket_path(); }
  // No error text contains the password, nor a server's reply that quotes it.
  ~Fixture() {
    if (!harness || options.connection.password.empty()) return;
    const auto& password = options.connection.password;
    BOOST_TEST(harness->sink->statistics().last_error.find(password) == std::string::npos);
    for (const auto& error : harness->observer.closed) BOOST_TEST(error.message().find(password) == std::string::npos);
  }

  SinkHarness& begin() {
    harness = std::make_unique<SinkHarness>(redis::make_state_sink(options));
    harness->start();
    return *harness;
  }
  SinkHarness& open() {
    begin();
    BOOST_REQUIRE(harness->run_until_open());
    return *harness;
  }
  std::error_code last_result() { return harness->observer.results.back().error; }
  std::string last_error() { return harness->sink->statistics().last_error; }
  void check_stores() {
    const std::string port = "Check" + std::to_string(harness->revision);
    for (int i = 0; i < 2; ++i) {  // a second time after try_again
      store(*harness, {{port, "up"}});
      if (last_result() != make_error_code(portsync::Errc::try_again)) break;
    }
    BOOST_TEST(!last_result());
    BOOST_TEST(server({"HGETALL", "PORT_TABLE|" + port}) == row_of_e0);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(users, Fixture)

BOOST_AUTO_TEST_CASE(the_right_password) {
  admin({"CONFIG", "SET", "requirepass", "s3cret"});
  options.connection.password = "s3cret";
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(!last_result());
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_tried_for_ever) {
  admin({"CONFIG", "SET", "requirepass", "s3cret"});
  options.connection.password = "wr0ng";
  auto& sink = begin();
  BOOST_REQUIRE(sink.run_until_closed(3));
  BOOST_TEST(sink.observer.opens == 0);
  for (const auto& error : sink.observer.closed) BOOST_TEST(error == make_error_code(redis::Errc::wrongpass));
  BOOST_TEST(last_error().find("AUTH") != std::string::npos);
  admin({"CONFIG", "SET", "requirepass", "wr0ng"});
  BOOST_TEST(sink.run_until_open());
}

BOOST_AUTO_TEST_CASE(a_missing_password) {
  admin({"CONFIG", "SET", "requirepass", "s3cret"});
  auto& sink = begin();
  BOOST_REQUIRE(sink.run_until_closed(2));
  BOOST_TEST(sink.observer.closed[0] == make_error_code(redis::Errc::noauth));
  BOOST_TEST(sink.observer.opens == 0);
}

BOOST_AUTO_TEST_CASE(a_password_that_the_server_does_not_require) {
  options.connection.password = "s3cret";
  auto& sink = begin();
  BOOST_REQUIRE(sink.run_until_closed());
  BOOST_TEST(sink.observer.closed[0] == make_error_code(redis::Errc::wrongpass));
}

BOOST_AUTO_TEST_CASE(an_acl_user) {
  admin({"ACL", "SETUSER", "sync", "on", ">s3cret", "~*", "+@all"});
  options.connection.username = "sync";
  options.connection.password = "s3cret";
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(!last_result());
  BOOST_TEST(server({"CLIENT", "LIST"}).find("user=sync") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_row_that_the_user_may_not_write) {
  admin({"ACL", "SETUSER", "sync", "on", ">s3cret", "~PORT_TABLE", "~PORT_TABLE|Ethernet0", "~PORT_TABLE|Ethernet8",
         "+@all"});
  admin({"HSET", "PORT_TABLE|Ethernet4", "state", "old"});
  options.connection.username = "sync";
  options.connection.password = "s3cret";
  auto& sink = open();
  // The sink can read the rest of the table, and so can keep it.
  BOOST_REQUIRE(sink.read_back());
  BOOST_TEST(!sink.observer.read_back);
  BOOST_TEST(sink.observer.rows["Ethernet4"].empty());

  store(sink, {{"Ethernet0", "up"}, {"Ethernet4", "up"}, {"Ethernet8", "up"}});
  const auto& results = sink.observer.results;
  BOOST_TEST(results[0].error == make_error_code(portsync::Errc::try_again));
  BOOST_TEST(results[1].error == make_error_code(redis::Errc::noperm));
  BOOST_TEST(results[2].error == make_error_code(portsync::Errc::try_again));
  store(sink, {{"Ethernet0", "up"}, {"Ethernet4", "up"}, {"Ethernet8", "up"}});
  BOOST_TEST(!results[3].error);
  BOOST_TEST(results[4].error == make_error_code(redis::Errc::noperm));
  BOOST_TEST(!results[5].error);
  BOOST_TEST(admin({"HGETALL", "PORT_TABLE|Ethernet8"}) == row_of_e0);
  BOOST_TEST(admin({"HGETALL", "PORT_TABLE|Ethernet4"}) == "state old");
  BOOST_TEST(admin({"HGET", "PORT_TABLE", "Ethernet0"}) == "up");
  BOOST_TEST(sink.sink->statistics().refused == 2U);
  BOOST_TEST(sink.observer.closes == 0);
}

BOOST_AUTO_TEST_CASE(an_index_that_the_user_may_not_write) {
  admin({"ACL", "SETUSER", "sync", "on", ">s3cret", "~PORT_TABLE|*", "+@all"});
  options.connection.username = "sync";
  options.connection.password = "s3cret";
  auto& sink = open();
  BOOST_REQUIRE(sink.read_back());
  BOOST_TEST(!sink.observer.read_back);
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(!last_result());
  BOOST_TEST(admin({"HGETALL", "PORT_TABLE|Ethernet0"}) == row_of_e0);
  BOOST_TEST(admin({"EXISTS", "PORT_TABLE"}) == "0");
  BOOST_TEST(sink.sink->statistics().index_failures == 1U);  // in the read-back: nothing is sent to the index since
  BOOST_TEST(sink.sink->statistics().refused == 0U);
  erase(sink, {"Ethernet0"});
  BOOST_TEST(!last_result());
}

BOOST_AUTO_TEST_CASE(client_and_info_and_multi_that_the_user_may_not_use) {
  admin({"ACL", "SETUSER", "sync", "on", ">s3cret", "~*", "+@all", "-client", "-info", "-multi", "-exec"});
  options.connection.username = "sync";
  options.connection.password = "s3cret";
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(!last_result());
  BOOST_TEST(admin({"HGETALL", "PORT_TABLE|Ethernet0"}) == row_of_e0);
  BOOST_TEST(admin({"HGET", "PORT_TABLE", "Ethernet0"}) == "up");
  admin({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  BOOST_REQUIRE(sink.run_until_open(2));
  check_stores();
}

BOOST_AUTO_TEST_CASE(exec_that_the_user_may_not_use) {
  admin({"ACL", "SETUSER", "sync", "on", ">s3cret", "~*", "+@all", "-exec"});
  options.connection.username = "sync";
  options.connection.password = "s3cret";
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(last_result() == make_error_code(portsync::Errc::try_again));
  check_stores();
  BOOST_TEST(sink.observer.closes == 0);
}

BOOST_AUTO_TEST_CASE(a_user_who_may_not_write_at_all) {
  admin({"ACL", "SETUSER", "sync", "on", ">s3cret", "~*", "+@all", "-@write"});
  options.connection.username = "sync";
  options.connection.password = "s3cret";
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}, {"Ethernet4", "up"}});
  for (const auto& result : sink.observer.results) BOOST_TEST(result.error == make_error_code(redis::Errc::noperm));
  BOOST_TEST(sink.sink->statistics().refused == 2U);
}

BOOST_AUTO_TEST_CASE(a_user_who_is_removed_at_run_time) {
  admin({"ACL", "SETUSER", "sync", "on", ">s3cret", "~*", "+@all"});
  options.connection.username = "sync";
  options.connection.password = "s3cret";
  auto& sink = open();
  admin({"ACL", "DELUSER", "sync"});  // also closes the user's connections
  BOOST_REQUIRE(sink.run_until_closed(2));
  BOOST_TEST(sink.observer.closed.back() == make_error_code(redis::Errc::wrongpass));
  admin({"ACL", "SETUSER", "sync", "on", ">s3cret", "~*", "+@all"});
  BOOST_REQUIRE(sink.run_until_open(2));
  check_stores();
}

BOOST_AUTO_TEST_CASE(rights_that_change_at_run_time) {
  auto& sink = open();
  admin({"ACL", "SETUSER", "default", "-@write"});
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(last_result() == make_error_code(redis::Errc::noperm));
  admin({"ACL", "SETUSER", "default", "+@all"});
  check_stores();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(refusals, Fixture)

BOOST_AUTO_TEST_CASE(a_database_that_does_not_exist) {
  options.connection.database = 99;
  auto& sink = begin();
  BOOST_REQUIRE(sink.run_until_closed(2));
  BOOST_TEST(sink.observer.closed[0] == make_error_code(redis::Errc::other));
  BOOST_TEST(last_error().find("DB index is out of range") != std::string::npos);
  BOOST_TEST(sink.observer.opens == 0);
}

BOOST_AUTO_TEST_CASE(out_of_memory_and_again_enough) {
  auto& sink = open();
  admin({"CONFIG", "SET", "maxmemory", "1"});
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(last_result() == make_error_code(redis::Errc::oom));
  BOOST_TEST(last_error().starts_with("PORT_TABLE|Ethernet0: OOM command not allowed"));
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(last_result() == make_error_code(redis::Errc::oom));
  BOOST_TEST(last_error().find(": OOM command not allowed") != std::string::npos);  // the row's, or the index's
  BOOST_TEST(sink.sink->statistics().refused == 2U);
  admin({"CONFIG", "SET", "maxmemory", "0"});
  check_stores();
  BOOST_TEST(sink.observer.closes == 0);
  // Once a read-back has found the index readable and a batch with an entry has succeeded, there is a MULTI again.
  BOOST_REQUIRE(sink.read_back());
  check_stores();
  const auto before = sink.sink->statistics().commands;
  check_stores();
  BOOST_TEST(sink.sink->statistics().commands - before == 4U);
}

BOOST_AUTO_TEST_CASE(a_replica_is_left_and_come_back_to) {
  auto& sink = open();
  admin({"REPLICAOF", "127.0.0.1", "1"});
  BOOST_TEST(!sink.sink->put(port_record("Ethernet0", "up"), nullptr, 1));
  BOOST_TEST(!sink.sink->put(port_record("Ethernet4", "up"), nullptr, 2));
  BOOST_TEST(!sink.sink->flush());
  BOOST_REQUIRE(sink.run_until_closed());
  BOOST_TEST(sink.observer.closed[0] == make_error_code(redis::Errc::readonly));
  BOOST_REQUIRE(sink.observer.results.size() == 1U);  // the other result is unknown, which on_closed() reports
  BOOST_TEST(last_result() == make_error_code(redis::Errc::readonly));
  BOOST_TEST(last_error().find("READONLY") != std::string::npos);
  // The name is resolved again, and may lead to another server; here it does not.
  BOOST_REQUIRE(sink.run_until_open(2));
  admin({"REPLICAOF", "NO", "ONE"});
  check_stores();
}

BOOST_AUTO_TEST_CASE(too_few_replicas) {
  auto& sink = open();
  admin({"CONFIG", "SET", "min-replicas-to-write", "1"});
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(last_result() == make_error_code(redis::Errc::noreplicas));
  admin({"CONFIG", "SET", "min-replicas-to-write", "0"});
  check_stores();
  BOOST_TEST(sink.observer.closes == 0);
}

BOOST_AUTO_TEST_CASE(persistence_that_fails) {
  server.kill();
  std::filesystem::create_directory(server.file("gone"));
  server.start(true, {"--save", "3600", "1", "--dir", server.file("gone")});
  options.connection.probe_interval = 50ms;  // PING is refused, too, which must not end the connection
  auto& sink = open();
  std::filesystem::remove_all(server.file("gone"));
  auto client = server.client();
  client({"SET", "x", "1"});
  client({"BGSAVE"});
  for (int i = 0; i < 500 && client({"SET", "x", "2"}).find("MISCONF") == std::string::npos; ++i) {
    std::this_thread::sleep_for(10ms);
  }
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(last_result() == make_error_code(redis::Errc::misconf));
  sink.run_for(200ms);
  BOOST_TEST(sink.observer.closes == 0);
  client({"CONFIG", "SET", "stop-writes-on-bgsave-error", "no"});
  check_stores();
}

BOOST_AUTO_TEST_CASE(a_script_that_runs) {
  auto& sink = open();
  admin({"CONFIG", "SET", "lua-time-limit", "20"});
  auto busy = server.client();
  busy.send({"EVAL", "while true do end", "0"});
  auto other = server.client();
  // Redis replies BUSY once the limit is over.
  for (int i = 0; i < 500 && other({"PING"}).find("BUSY") == std::string::npos; ++i) std::this_thread::sleep_for(10ms);
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(last_result() == make_error_code(redis::Errc::busy));
  BOOST_TEST(sink.observer.closes == 0);
  other({"SCRIPT", "KILL"});
  BOOST_REQUIRE(sink.run([&] { return other({"PING"}) == "PONG"; }));
  check_stores();
}

BOOST_AUTO_TEST_CASE(a_dataset_that_is_being_loaded) {
  server.kill();
  server.start(true, {"--save", "3600", "1000000"});
  auto client = server.client();
  client({"DEBUG", "POPULATE", "20000"});
  client({"HSET", "PORT_TABLE|Ethernet0", "state", "ok"});
  client({"SAVE"});
  server.kill();
  server.start(false, {"--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024"});
  // RDB of 20,001 keys, 100 us each: 2 s
  options.connection.timeout = 10s;  // the sink leaves a server that only refuses, after three of these
  auto& sink = open();
  const int closes = sink.observer.closes;  // the server may not have listened at first
  BOOST_REQUIRE(sink.read_back());
  BOOST_TEST(sink.observer.read_back == make_error_code(redis::Errc::loading));
  BOOST_TEST(sink.observer.read_backs == 1);
  store(sink, {{"Ethernet4", "up"}, {"Ethernet8", "up"}});
  for (const auto& result : sink.observer.results) BOOST_TEST(result.error == make_error_code(redis::Errc::loading));
  BOOST_TEST(sink.observer.closes == closes);
  BOOST_REQUIRE(sink.run([&] { return sink.read_back() && !sink.observer.read_back; }, 10s));
  BOOST_TEST(sink.observer.rows.contains("Ethernet0"));
  check_stores();
}

BOOST_AUTO_TEST_CASE(a_row_that_is_not_a_hash) {
  admin({"SET", "PORT_TABLE|Ethernet4", "x"});
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}, {"Ethernet4", "up"}, {"Ethernet8", "up"}});
  const auto& results = sink.observer.results;
  BOOST_TEST(!results[0].error);
  BOOST_TEST(results[1].error == make_error_code(redis::Errc::wrongtype));
  BOOST_TEST(!results[2].error);
  BOOST_TEST(sink.sink->statistics().refused == 1U);
  BOOST_TEST(sink.sink->statistics().index_failures == 0U);
  erase(sink, {"Ethernet4"});  // it contains nothing of ours
  BOOST_TEST(!last_result());
  BOOST_TEST(admin({"GET", "PORT_TABLE|Ethernet4"}) == "x");
}

BOOST_AUTO_TEST_CASE(an_index_that_is_not_a_hash) {
  admin({"SET", "PORT_TABLE", "x"});
  auto& sink = open();
  BOOST_REQUIRE(sink.read_back());
  BOOST_TEST(!sink.observer.read_back);
  store(sink, {{"Ethernet0", "up"}});
  BOOST_TEST(!last_result());
  BOOST_TEST(admin({"HGETALL", "PORT_TABLE|Ethernet0"}) == row_of_e0);
  BOOST_REQUIRE(sink.read_back(Scope::listed, {"Ethernet0"}));
  BOOST_TEST(!sink.observer.read_back);
  BOOST_TEST(sink.observer.rows["Ethernet0"].size() == 4U);
  BOOST_TEST(sink.sink->statistics().index_failures == 2U);  // one in each read-back
  BOOST_TEST(sink.sink->statistics().refused == 0U);
}

BOOST_AUTO_TEST_CASE(too_many_clients) {
  admin({"CONFIG", "SET", "maxclients", "1"});
  auto& sink = begin();
  BOOST_REQUIRE(sink.run_until_closed(2));
  BOOST_TEST(sink.observer.closed[0] == make_error_code(redis::Errc::max_clients));
  BOOST_TEST(last_error().find("max number of clients") != std::string::npos);
  admin({"CONFIG", "SET", "maxclients", "100"});
  BOOST_REQUIRE(sink.run_until_open());
  check_stores();
}

BOOST_AUTO_TEST_CASE(too_many_clients_over_tcp) {
  server.kill();
  const auto port = free_tcp_port();
  server.start(true, {"--port", std::to_string(port)});
  auto client = server.client();
  client({"CONFIG", "SET", "maxclients", "1"});
  options.connection.socket_path.clear();
  options.connection.port = port;
  auto& sink = begin();
  BOOST_REQUIRE(sink.run_until_closed(2));
  BOOST_TEST(sink.observer.closed[0] == make_error_code(redis::Errc::max_clients));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(losses, Fixture)

BOOST_AUTO_TEST_CASE(a_stopped_server_is_a_timeout_and_is_come_back_to) {
  options.connection.timeout = 200ms;
  auto& sink = open();
  server.pause();
  BOOST_TEST(!sink.sink->put(port_record("Ethernet0", "up"), nullptr, 1));
  BOOST_TEST(!sink.sink->flush());
  BOOST_REQUIRE(sink.run_until_closed());
  BOOST_TEST(sink.observer.closed[0] == make_error_code(redis::Errc::timeout));
  BOOST_TEST(sink.observer.results.empty());
  // The kernel still accepts connections, but the server does not reply.
  BOOST_REQUIRE(sink.run_until_closed(3));
  BOOST_TEST(sink.observer.closed[2] == make_error_code(redis::Errc::timeout));
  BOOST_TEST(sink.sink->statistics().timeouts >= 3U);
  server.resume();
  BOOST_REQUIRE(sink.run_until_open(2));
  check_stores();
}

BOOST_AUTO_TEST_CASE(a_stopped_server_is_noticed_by_a_probe) {
  options.connection.timeout = 100ms;
  options.connection.probe_interval = 50ms;
  auto& sink = open();
  server.pause();
  BOOST_REQUIRE(sink.run_until_closed());
  BOOST_TEST(sink.observer.closed[0] == make_error_code(redis::Errc::timeout));
  server.resume();
}

BOOST_AUTO_TEST_CASE(writes_that_hang) {
  options.connection.timeout = 200ms;
  auto& sink = open();
  admin({"CLIENT", "PAUSE", "800", "WRITE"});
  BOOST_REQUIRE(sink.read_back());
  BOOST_TEST(!sink.sink->put(port_record("Ethernet0", "up"), nullptr, 1));
  BOOST_TEST(!sink.sink->flush());
  BOOST_REQUIRE(sink.run_until_closed());
  BOOST_TEST(sink.observer.closed[0] == make_error_code(redis::Errc::timeout));
  admin({"CLIENT", "UNPAUSE"});
  BOOST_REQUIRE(sink.run_until_open(2));
  check_stores();
}

// The old connection's commands are in the stopped server's socket. They must not be executed after the new
// connection's writes.
BOOST_AUTO_TEST_CASE(writes_of_an_abandoned_connection_do_not_overtake_newer_ones) {
  options.connection.timeout = 100ms;
  auto& sink = open();
  for (int round = 0; round < 5; ++round) {
    server.pause();
    BOOST_TEST(!sink.sink->put(port_record("Ethernet0", "down"), nullptr, ++sink.revision));
    BOOST_TEST(!sink.sink->flush());
    const int closes = sink.observer.closes;
    const int opens = sink.observer.opens;
    BOOST_REQUIRE(sink.run_until_closed(closes + 1));
    server.resume();
    BOOST_REQUIRE(sink.run_until_open(opens + 1));
    store(sink, {{"Ethernet0", "up"}});
    BOOST_TEST(server({"HGET", "PORT_TABLE|Ethernet0", "netdev_oper_status"}) == "up");
  }
}

BOOST_AUTO_TEST_CASE(a_killed_client_reconnects_at_once_if_it_has_been_of_use) {
  options.connection.retry_interval = 1s;
  auto& sink = open();
  sink.run_for(1150ms);
  const auto since = std::chrono::steady_clock::now();
  admin({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  BOOST_REQUIRE(sink.run_until_open(2));
  BOOST_TEST((std::chrono::steady_clock::now() - since < 700ms));
  check_stores();
  // If it is killed again too soon, it reconnects after the interval.
  const auto again = std::chrono::steady_clock::now();
  server({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  BOOST_REQUIRE(sink.run_until_open(3));
  BOOST_TEST((std::chrono::steady_clock::now() - again > 800ms));
}

BOOST_AUTO_TEST_CASE(a_client_killed_between_put_and_flush) {
  auto& sink = open();
  BOOST_TEST(!sink.sink->put(port_record("Ethernet0", "up"), nullptr, 1));
  admin({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  BOOST_TEST(!sink.sink->flush());  // EPIPE at the earliest: no signal, and no error here
  BOOST_REQUIRE(sink.run_until_open(2));
  BOOST_TEST(sink.observer.results.empty());
  BOOST_TEST(sink.sink->room() == 512U);
  check_stores();
}

BOOST_AUTO_TEST_CASE(a_server_killed_and_started_empty) {
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  server.kill();
  BOOST_REQUIRE(sink.run_until_closed());
  BOOST_TEST(sink.observer.closed[0] == make_error_code(redis::Errc::end_of_file));
  BOOST_TEST(!sink.sink->statistics().open);
  server.start();
  BOOST_REQUIRE(sink.run_until_open(2));
  BOOST_REQUIRE(sink.read_back());
  BOOST_TEST(sink.observer.rows.empty());
  check_stores();
}

BOOST_AUTO_TEST_CASE(a_server_killed_and_started_with_its_data) {
  server.kill();
  server.start(true, {"--appendonly", "yes", "--appendfsync", "always"});
  auto& sink = open();
  store(sink, {{"Ethernet0", "up"}});
  server.kill();
  server.start(true, {"--appendonly", "yes"});
  BOOST_REQUIRE(sink.run_until_open(2));
  // The server may be loading at first.
  BOOST_REQUIRE(sink.run([&] { return sink.read_back() && !sink.observer.read_back; }));
  BOOST_TEST(sink.observer.rows["Ethernet0"].size() == 5U);
}

// After a restart client ids begin again, so the id of our lost connection now belongs to another client.
BOOST_AUTO_TEST_CASE(after_a_restart_no_client_is_killed_for_our_old_id) {
  auto& sink = open();
  const std::string list = server({"CLIENT", "LIST"});
  const auto name = list.find("name=portsyncd");
  const auto line = list.rfind("id=", name) + 3;
  const int id = std::stoi(list.substr(line));
  server.kill();
  server.start();
  std::vector<RedisClient> innocents;
  for (int last = 0; last < id;) {
    innocents.push_back(server.client());
    last = std::stoi(innocents.back()({"CLIENT", "ID"}));
    BOOST_REQUIRE(last <= id);
  }
  BOOST_REQUIRE(sink.run_until_open(2));
  for (auto& innocent : innocents) BOOST_TEST(innocent({"PING"}) == "PONG");
  BOOST_TEST(server({"INFO", "commandstats"}).find("client|kill") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_sink_destroyed_with_rows_unanswered) {
  auto& sink = open();
  server.pause();
  BOOST_TEST(!sink.sink->put(port_record("Ethernet0", "up"), nullptr, 1));
  BOOST_TEST(!sink.sink->flush());
  harness.reset();
  server.resume();
  BOOST_TEST(admin({"PING"}) == "PONG");
}

BOOST_AUTO_TEST_SUITE_END()
