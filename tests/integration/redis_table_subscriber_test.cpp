// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_table_subscriber
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <portsync/error.hpp>
#include <portsync/redis/table_subscriber.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/cpp/drive.hpp"
#include "support/cpp/fake_redis.hpp"
#include "support/cpp/redis_server.hpp"
#include "support/cpp/wait.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

namespace {

struct Follower : redis::TableSubscriber::Observer {
  Follower() {
    options.connection.retry_interval = 20ms;
    options.connection.timeout = 1s;
  }
  void make() { subscriber = redis::make_table_subscriber(options); }
  void start() {
    if (!subscriber) make();
    BOOST_REQUIRE(!subscriber->start(*this));
  }

  void on_subscribed() override {
    ++subscribed;
    if (when_subscribed) when_subscribed();
  }
  void on_refused(std::error_code error) override {
    BOOST_TEST((error == redis::Errc::noperm || error == redis::Errc::loading));
    refused.push_back(subscriber->last_error());
  }
  void on_event(std::string_view name, std::string_view event) override {
    events.push_back(std::string(name) + ' ' + std::string(event));
    if (when_event) when_event();
  }

  redis::TableSubscriberOptions options;
  std::unique_ptr<redis::TableSubscriber> subscriber;
  int subscribed = 0;
  Strings events;
  Strings refused;
  std::function<void()> when_subscribed, when_event;
};

struct Fixture : Follower {
  Fixture() {
    options.connection.socket_path = server.socket_path();
    server({"CONFIG", "SET", "notify-keyspace-events", "AKE"});
  }
  template <typename Condition>
  void until(Condition condition) {
    process_until(*subscriber, condition);
  }
  void follow() {
    start();
    until([this] { return subscribed == 1; });
  }
  // Waits until everything that happened before this call has been reported.
  void until_reported(const std::string& key) {
    server({"HSET", key, "f", "v"});
    const std::string event = key.substr(key.find(options.separator) + options.separator.size()) + " hset";
    until([&] { return !events.empty() && events.back() == event; });
  }

  RedisServer server;
};

struct FakeFixture : Follower {
  FakeFixture() {
    options.connection.socket_path = directory.file("fake.sock");
    options.connection.timeout = 150ms;
    server.script = [this](const std::string& command) -> std::optional<std::string> { return usual(command); };
  }
  std::optional<std::string> usual(const std::string& command) const {
    for (const std::string word : {"SUBSCRIBE", "PSUBSCRIBE"}) {
      if (!command.starts_with(word + ' ')) continue;
      const std::string answer = word == "SUBSCRIBE" ? "subscribe" : "psubscribe";
      return array({bulk(answer), bulk(command.substr(word.size() + 1)), ":1\r\n"});
    }
    if (command == "PING") return bulks({"pong", ""});
    return std::nullopt;
  }
  void until(const std::function<bool()>& condition) { BOOST_REQUIRE(drive_until(*subscriber, {&server}, condition)); }
  void follow() {
    start();
    until([this] { return subscribed == 1; });
  }

  TemporaryDirectory directory;
  FakeRedis server{directory.file("fake.sock")};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(events_of_the_tables_rows_are_reported_in_order, Fixture) {
  options.connection.database = 0;
  follow();
  server({"HSET", "PORT_TABLE:Ethernet0", "mtu", "9100"});
  server({"HSET", "PORT_TABLE:Ethernet0", "mtu", "9100"});
  for (const char* other : {"PORT_TABLE", "PORT_TABLE:", "PORT_TABLEX:E", "_PORT_TABLE:Ethernet0", "PORT|E"}) {
    server({"HSET", other, "f", "v"});
  }
  auto elsewhere = server.client();
  elsewhere({"SELECT", "6"});
  elsewhere({"HSET", "PORT_TABLE:Ethernet0", "f", "v"});
  server({"DEL", "PORT_TABLE:Ethernet0"});
  server({"SET", "PORT_TABLE:Ethernet4", "x"});
  server({"PEXPIRE", "PORT_TABLE:Ethernet4", "1"});
  until([this] { return !events.empty() && events.back() == "Ethernet4 expired"; });
  BOOST_TEST(events == (Strings{"Ethernet0 hset", "Ethernet0 hset", "Ethernet0 del", "Ethernet4 set",
                                "Ethernet4 expire", "Ethernet4 expired"}),
             boost::test_tools::per_element());
  process_until_idle(*subscriber);
  BOOST_TEST(subscriber->last_error() == "");
}

BOOST_FIXTURE_TEST_CASE(a_refused_subscription_is_reported_once_for_each_reason, FakeFixture) {
  int asked = 0;
  server.script = [&](const std::string& command) -> std::optional<std::string> {
    if (!command.starts_with("PSUBSCRIBE ") || ++asked > 4) return usual(command);
    return asked <= 3 ? "-NOPERM this user has no permissions to access one of the channels\r\n" : "-LOADING now\r\n";
  };
  follow();
  BOOST_TEST(asked == 5);
  BOOST_REQUIRE(refused.size() == 2U);
  BOOST_TEST(refused[0].find("NOPERM this user has no permissions") != std::string::npos);
  BOOST_TEST(refused[1].find("LOADING now") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(only_the_rows_that_are_named_are_followed, Fixture) {
  options.connection.database = 4;
  options.table = "LOGGER";
  options.separator = "|";
  options.names = {"portsyncd", "Ether*"};
  follow();
  auto client = server.client();
  client({"SELECT", "4"});
  for (const char* key : {"LOGGER|orchagent", "LOGGER|portsyncd", "LOGGER|Ethernet0", "LOGGER|Ether*"}) {
    client({"HSET", key, "LOGLEVEL", "INFO"});
  }
  until([this] { return events.size() == 2U; });
  BOOST_TEST(events == (Strings{"portsyncd hset", "Ether* hset"}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(what_a_glob_would_mean_is_taken_literally, Fixture) {
  options.table = "P*[a]?\\";
  follow();
  server({"HSET", "PQaR\\:Ethernet4", "f", "v"});
  server({"HSET", "P*[a]?\\:Ethernet0", "f", "v"});
  server({"HSET", "P*[a]?\\:Ether[net*", "f", "v"});
  until([this] { return events.size() == 2U; });
  BOOST_TEST(events == (Strings{"Ethernet0 hset", "Ether[net* hset"}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(where_keyspace_events_are_off_nothing_comes, Fixture) {
  server({"CONFIG", "SET", "notify-keyspace-events", ""});
  follow();
  server({"HSET", "PORT_TABLE:Ethernet0", "f", "v"});
  server({"CONFIG", "SET", "notify-keyspace-events", "AKE"});
  until_reported("PORT_TABLE:Ethernet4");
  BOOST_TEST(events == (Strings{"Ethernet4 hset"}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(after_a_restart_of_the_server_it_subscribes_again, Fixture) {
  follow();
  server.kill();
  until([this] { return subscriber->last_error() != ""; });
  server.start();
  server({"CONFIG", "SET", "notify-keyspace-events", "AKE"});
  until([this] { return subscribed == 2; });
  until_reported("PORT_TABLE:Ethernet4");
  BOOST_TEST(events.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_killed_connection_is_subscribed_again, Fixture) {
  follow();
  server({"CLIENT", "KILL", "TYPE", "pubsub"});
  until([this] { return subscribed == 2; });
  until_reported("PORT_TABLE:Ethernet4");
}

BOOST_FIXTURE_TEST_CASE(stopped_it_has_no_connection_until_it_is_started_again, Fixture) {
  make();
  subscriber->stop();
  follow();
  until_reported("PORT_TABLE:Ethernet0");
  server({"HSET", "PORT_TABLE:Ethernet4", "f", "v"});
  subscriber->stop();
  const auto subscribers = [this] { return server({"PUBSUB", "NUMPAT"}); };
  BOOST_TEST(!subscriber->process());
  process_until(*subscriber, [&] { return subscribers() == "0"; });
  server({"HSET", "PORT_TABLE:Ethernet8", "f", "v"});
  process_until(*subscriber, [i = 0]() mutable { return ++i > 5; });
  process_until_idle(*subscriber);
  BOOST_TEST(subscribed == 1);
  events.clear();
  start();
  until([this] { return subscribed == 2; });
  BOOST_TEST(events.empty());
  until_reported("PORT_TABLE:Ethernet12");
  BOOST_TEST(events.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(its_handlers_may_stop_and_start_it, Fixture) {
  when_event = [this] {
    if (events.size() == 1) subscriber->stop();
    if (events.size() == 2) {
      subscriber->stop();
      BOOST_TEST(!subscriber->start(*this));
    }
  };
  follow();
  server({"EVAL", "for i = 1, 5 do redis.call('HSET', 'PORT_TABLE:Ethernet' .. i, 'f', 'v') end", "0"});
  until([this] { return !events.empty(); });
  process_until(*subscriber, [this] { return server({"PUBSUB", "NUMPAT"}) == "0"; });
  BOOST_TEST(events.size() == 1U);
  start();
  until([this] { return subscribed == 2; });
  server({"HSET", "PORT_TABLE:Ethernet9", "f", "v"});
  until([this] { return subscribed == 3; });
  until_reported("PORT_TABLE:Ethernet10");
  BOOST_TEST(events.size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(stopped_while_it_connects_it_stays_so, Fixture) {
  server.pause();
  start();
  BOOST_TEST(!subscriber->process());
  subscriber->stop();
  server.resume();
  process_until(*subscriber, [i = 0]() mutable { return ++i > 5; });
  BOOST_TEST(subscribed == 0);
  process_until_idle(*subscriber);
  start();
  until([this] { return subscribed == 1; });
}

BOOST_FIXTURE_TEST_CASE(a_refusal_is_reported_and_tried_again, Fixture) {
  server({"ACL", "SETUSER", "default", "-psubscribe"});
  start();
  until([this] { return subscriber->last_error().find("NOPERM") != std::string::npos; });
  BOOST_TEST(subscribed == 0);
  server({"ACL", "SETUSER", "default", "+psubscribe"});
  until([this] { return subscribed == 1; });
}

BOOST_FIXTURE_TEST_CASE(a_quiet_connection_is_probed_and_goes_on, Fixture) {
  options.connection.probe_interval = 20ms;
  follow();
  const auto pings = [this] {
    return server({"INFO", "commandstats"}).find("cmdstat_ping:calls=") != std::string::npos;
  };
  server({"CONFIG", "RESETSTAT"});
  until(pings);
  until_reported("PORT_TABLE:Ethernet0");
  server({"CONFIG", "RESETSTAT"});
  until(pings);
  until_reported("PORT_TABLE:Ethernet4");
  BOOST_TEST(subscribed == 1);
  BOOST_TEST(subscriber->last_error() == "");
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_no_longer_answers_is_found, Fixture) {
  options.connection.probe_interval = 50ms;
  options.connection.timeout = 100ms;
  follow();
  server.pause();
  until([this] { return subscriber->last_error().find("no answer in time") != std::string::npos; });
  server.resume();
  until([this] { return subscribed == 2; });
  until_reported("PORT_TABLE:Ethernet0");
}

BOOST_FIXTURE_TEST_CASE(a_flood_is_reported_whole_in_bounded_turns, Fixture) {
  follow();
  server({"EVAL", "for i = 1, 5000 do redis.call('HSET', 'PORT_TABLE:E' .. i, 'f', 'v') end", "0"});
  std::size_t most = 0;
  while (events.size() < 5000) {
    const auto before = events.size();
    BOOST_REQUIRE(!subscriber->process());
    most = std::max(most, events.size() - before);
  }
  BOOST_TEST(most <= 1024U);
  BOOST_TEST(events.back() == "E5000 hset");
}

BOOST_FIXTURE_TEST_CASE(what_an_observer_throws_loses_no_event, Fixture) {
  when_event = [] { throw std::runtime_error("event"); };
  follow();
  server({"EVAL", "for i = 1, 10 do redis.call('HSET', 'PORT_TABLE:E' .. i, 'f', 'v') end", "0"});
  int thrown = 0;
  while (events.size() < 10) {
    try {
      until([this] { return events.size() == 10U; });
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  BOOST_TEST(thrown == 10);
  when_event = nullptr;
  until_reported("PORT_TABLE:E11");
}

BOOST_FIXTURE_TEST_CASE(events_before_all_is_subscribed_are_left_out, FakeFixture) {
  options.names = {"a", "b"};
  const std::string event = bulks({"message", "__keyspace@0__:PORT_TABLE:a", "hset"});
  server.script = [&](const std::string& command) -> std::optional<std::string> {
    auto answer = usual(command);
    if (command.starts_with("SUBSCRIBE")) answer = event + *answer;
    return answer;
  };
  when_subscribed = [this] { BOOST_TEST(events.empty()); };
  follow();
  BOOST_TEST(server.count("SUBSCRIBE ") == 2U);
  server.say(event);
  until([this] { return !events.empty(); });
  BOOST_TEST(events == Strings{"a hset"}, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(messages_between_a_probe_and_its_answer_are_reported, FakeFixture) {
  options.connection.probe_interval = 20ms;
  const std::string event =
      bulks({"pmessage", "__keyspace@0__:PORT_TABLE:*", "__keyspace@0__:PORT_TABLE:Ethernet0", "hset"});
  server.script = [&](const std::string& command) -> std::optional<std::string> {
    if (command == "PING") return event + bulks({"pong", ""}) + event;
    return usual(command);
  };
  follow();
  until([this] { return events.size() >= 4U; });
  BOOST_TEST(subscribed == 1);
  BOOST_TEST(subscriber->last_error() == "");
}

BOOST_FIXTURE_TEST_CASE(what_redis_never_says_ends_the_connection, FakeFixture) {
  follow();
  int times = 1;
  const Strings nonsense{
      bulks({"pmessage", "p", "c"}),
      bulks({"pmessage", "p", "__keyspace@0__:OTHER:Ethernet0", "hset"}),
      bulks({"message", "__keyspace@0__:PORT_TABLE:Ethernet0", "hset"}),
      bulks({"pong", ""}),
      "+OK\r\n",
      "-ERR something\r\n",
      "*0\r\n",
  };
  for (const std::string& text : nonsense) {
    server.say(text);
    ++times;
    until([&] { return subscribed == times; });
  }
  BOOST_TEST(events.empty());
}

BOOST_FIXTURE_TEST_CASE(an_answer_that_does_not_fit_ends_the_connection, FakeFixture) {
  const Strings nonsense{"+OK\r\n", bulks({"subscribe", "c", "1"}), "*0\r\n", ":1\r\n"};
  for (const std::string& text : nonsense) {
    server.script = [&](const std::string& command) -> std::optional<std::string> {
      if (command.starts_with("PSUBSCRIBE")) return text;
      return std::nullopt;
    };
    const int accepted = server.accepted;
    if (!subscriber) start();
    until([&] { return server.accepted >= accepted + 2; });
  }
  BOOST_TEST(subscribed == 0);
}

BOOST_FIXTURE_TEST_CASE(misuse_is_an_error, Fixture) {
  make();
  BOOST_TEST(!subscriber->process());
  start();
  BOOST_TEST(subscriber->start(*this) == make_error_code(portsync::Errc::already_started));
  options.table = "";
  BOOST_CHECK_THROW(make(), std::invalid_argument);
  options.table = "T";
  options.separator = "";
  BOOST_CHECK_THROW(make(), std::invalid_argument);
}
