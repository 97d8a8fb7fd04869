// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_key_reader
#include <boost/test/unit_test.hpp>
#include <portsync/error.hpp>
#include <portsync/redis/key_reader.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/cpp/redis_server.hpp"
#include "support/cpp/wait.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;
using Names = redis::KeyReader::Names;

namespace {

struct Fixture {
  Fixture() {
    options.connection.socket_path = server.socket_path();
    options.connection.database = 4;
    options.connection.retry_interval = 20ms;
    options.connection.timeout = 1s;
  }
  void make() { reader = redis::make_key_reader(options); }
  void start() {
    if (!reader) make();
    BOOST_REQUIRE(!reader->start([this](const Names& names) { heard.push_back(names); }));
  }
  void configure(const std::vector<std::string>& command) {
    RedisClient client(server.socket_path());
    client({"SELECT", "4"});
    client(command);
  }
  void until(std::size_t readings) {
    process_until(*reader, [&] { return heard.size() >= readings; });
  }
  // Waits until the table has been read and is followed. That is one reading if both connections open at once, and
  // otherwise two.
  void until_followed() {
    RedisClient client(server.socket_path());
    process_until(*reader, [&] { return !heard.empty() && client({"PUBSUB", "NUMPAT"}) == "1"; });
    client({"PING"});  // by its reply, Redis has sent the reply to the subscription
    process_until_idle(*reader);
  }

  RedisServer server;
  redis::KeyReaderOptions options;
  std::unique_ptr<redis::KeyReader> reader;
  std::vector<Names> heard;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(names_are_read_once_connected_and_when_asked_for, Fixture) {
  configure({"HSET", "PORT|Ethernet0", "lanes", "0"});
  configure({"HSET", "PORT|Ethernet4", "lanes", "4"});
  for (const char* other : {"PORT", "PORT|", "PORTX|Ethernet8", "PORT_TABLE|Ethernet8", "xPORT|Ethernet8"}) {
    configure({"SET", other, "x"});
  }
  start();
  until(1);
  BOOST_TEST((heard[0] == Names{"Ethernet0", "Ethernet4"}));
  configure({"DEL", "PORT|Ethernet0"});
  reader->refresh();
  reader->refresh();
  until(2);
  BOOST_TEST((heard[1] == Names{"Ethernet4"}));
  process_until_idle(*reader);
  BOOST_TEST(reader->last_error() == "");
}

BOOST_FIXTURE_TEST_CASE(a_table_of_thousands_among_others_is_read_whole, Fixture) {
  RedisClient client(server.socket_path());
  client({"SELECT", "4"});
  client({"EVAL",
          "for i = 1, 5000 do redis.call('SET', 'PORT|E' .. i, 1); redis.call('SET', 'other' .. i, 1) end return 1",
          "0"});
  start();
  until(1);
  BOOST_TEST(heard[0].size() == 5000U);
}

BOOST_FIXTURE_TEST_CASE(an_empty_table_is_an_answer_too, Fixture) {
  start();
  until(1);
  BOOST_TEST(heard[0].empty());
}

BOOST_FIXTURE_TEST_CASE(what_a_glob_would_mean_is_taken_literally, Fixture) {
  options.table = "P*[a]?";
  configure({"SET", "P*[a]?|Ethernet0", "x"});
  configure({"SET", "PQaR|Ethernet4", "x"});
  start();
  until(1);
  BOOST_TEST((heard[0] == Names{"Ethernet0"}));
}

BOOST_FIXTURE_TEST_CASE(after_a_restart_of_redis_it_reads_again, Fixture) {
  configure({"SET", "PORT|Ethernet0", "x"});
  start();
  until(1);
  server.kill();
  process_until(*reader, [this] { return !reader->last_error().empty(); });
  reader->refresh();
  BOOST_REQUIRE(!reader->process());
  server.start();
  until(2);
  BOOST_TEST(heard.back().empty());
  BOOST_TEST(reader->last_error() == "");
}

BOOST_FIXTURE_TEST_CASE(a_refusal_is_reported_without_the_password_and_tried_again, Fixture) {
  configure({"CONFIG", "SET", "requirepass", "right"});
  options.connection.password = "very-secret";
  start();
  process_until(*reader, [this] { return !reader->last_error().empty(); });
  BOOST_TEST(reader->last_error().find("very-secret") == std::string::npos);
  BOOST_TEST(reader->last_error().find("WRONGPASS") != std::string::npos);
  RedisClient client(server.socket_path());
  client({"AUTH", "right"});
  client({"CONFIG", "SET", "requirepass", "very-secret"});
  until(1);
}

BOOST_FIXTURE_TEST_CASE(a_user_without_the_right_to_scan_is_reported, Fixture) {
  configure({"ACL", "SETUSER", "default", "-scan"});
  start();
  process_until(*reader, [this] { return reader->last_error().find("NOPERM") != std::string::npos; });
  BOOST_TEST(heard.empty());
  configure({"ACL", "SETUSER", "default", "+scan"});
  until(1);
}

// The configuration is being reloaded, or Redis returned empty. Without the check, every port was removed for up to a
// minute.
BOOST_FIXTURE_TEST_CASE(names_of_a_database_that_is_not_initialized_are_not_known, Fixture) {
  options.initialized_key = "CONFIG_DB_INITIALIZED";
  configure({"SET", "PORT|Ethernet0", "x"});
  start();
  process_until(*reader, [this] { return !reader->last_error().empty(); });
  BOOST_TEST(reader->last_error() == "CONFIG_DB_INITIALIZED is not 1: it is being loaded, or has lost its data");
  configure({"SET", "CONFIG_DB_INITIALIZED", "0"});
  reader->refresh();
  process_until_idle(*reader);
  BOOST_TEST(heard.empty());
  configure({"SET", "CONFIG_DB_INITIALIZED", "1"});  // the reader finds it without refresh()
  until(1);
  BOOST_TEST((heard[0] == Names{"Ethernet0"}));
  BOOST_TEST(reader->last_error() == "");
  configure({"FLUSHDB"});
  reader->refresh();
  process_until(*reader, [this] { return !reader->last_error().empty(); });
  BOOST_TEST(heard.size() == 1U);
}

// Flushed while the names are read: they are only a part.
BOOST_FIXTURE_TEST_CASE(names_that_were_flushed_while_they_were_read_are_not_known, Fixture) {
  options.initialized_key = "CONFIG_DB_INITIALIZED";
  configure({"SET", "CONFIG_DB_INITIALIZED", "1"});
  RedisClient client(server.socket_path());
  client({"SELECT", "4"});
  client({"EVAL", "for i = 1, 5000 do redis.call('SET', 'PORT|E' .. i, 1) end return 1", "0"});
  start();
  until(1);
  for (int round = 0; round < 20; ++round) {
    reader->refresh();
    for (int turn = 0; turn < round % 7; ++turn) BOOST_REQUIRE(!reader->process());
    client({"FLUSHDB"});
    reader->refresh();
    process_until(*reader, [this] { return !reader->last_error().empty(); });
    client({"EVAL",
            "for i = 1, 5000 do redis.call('SET', 'PORT|E' .. i, 1) end redis.call('SET', 'CONFIG_DB_INITIALIZED', 1)",
            "0"});
    process_until(*reader, [this] { return reader->last_error().empty(); });
  }
  for (const Names& names : heard) BOOST_TEST(names.size() == 5000U);
}

BOOST_FIXTURE_TEST_CASE(names_are_followed_by_keyspace_events, Fixture) {
  options.follow = true;
  configure({"CONFIG", "SET", "notify-keyspace-events", "AKE"});
  start();
  until_followed();
  configure({"HSET", "PORT|Ethernet8", "lanes", "8"});
  process_until(*reader, [this] { return heard.back() == Names{"Ethernet8"}; });
  configure({"DEL", "PORT|Ethernet8"});
  process_until(*reader, [this] { return heard.back().empty(); });
}

BOOST_FIXTURE_TEST_CASE(hundreds_of_events_at_once_are_few_readings, Fixture) {
  options.follow = true;
  configure({"CONFIG", "SET", "notify-keyspace-events", "AKE"});
  start();
  until_followed();
  const std::size_t before = heard.size();
  configure(
      {"EVAL", "redis.call('SELECT', 4) for i = 1, 500 do redis.call('HSET', 'PORT|E' .. i, 'lanes', i) end", "0"});
  process_until(*reader, [this] { return heard.back().size() == 500; });
  process_until_idle(*reader);
  BOOST_TEST(heard.size() - before <= 3U);
}

BOOST_FIXTURE_TEST_CASE(misuse_is_an_error, Fixture) {
  make();
  BOOST_TEST((reader->process() == portsync::Errc::not_started));
  BOOST_TEST((reader->start({}) == std::errc::invalid_argument));
  start();
  BOOST_TEST((reader->start([](const Names&) {}) == portsync::Errc::already_started));
  BOOST_CHECK_THROW((void)redis::make_key_reader({options.connection, "", "|", "", false}), std::invalid_argument);
}
