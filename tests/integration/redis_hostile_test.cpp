// SPDX-License-Identifier: Apache-2.0
// The Redis sink and its connection against what a real redis-server does not send on demand: garbage, replies that do
// not fit, and errors.
#define BOOST_TEST_MODULE redis_hostile
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <portsync/redis/state_sink.hpp>
#include <random>

#include "support/cpp/hostile_fixture.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

BOOST_FIXTURE_TEST_SUITE(garbage, HostileFixture)

BOOST_AUTO_TEST_CASE(another_protocol) {
  server.greeting = "HTTP/1.1 400 Bad Request\r\n\r\n";
  begin();
  check_given_up_for(redis::Errc::protocol);
}

BOOST_AUTO_TEST_CASE(random_bytes) {
  std::minstd_rand random(7);
  std::uniform_int_distribution<int> byte(0, 255);
  begin();
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (int i = 0; i < 100; ++i) text += static_cast<char>(byte(random));
    server.greeting = text;
    const int closes = harness->observer.closes;
    BOOST_REQUIRE(harness->run_until_closed(closes + 1));
    BOOST_TEST(harness->observer.opens == 0);
  }
  server.greeting.clear();
  BOOST_TEST(harness->run_until_open());
}

// Changes one byte of each reply of a well-formed server, at any point of the conversation.
BOOST_AUTO_TEST_CASE(answers_with_a_byte_changed) {
  std::minstd_rand random(11);
  const std::vector<std::string> commands{"SELECT", "CLIENT SETNAME", "CLIENT ID", "INFO", "MULTI",
                                          "HSET",   "EXEC",           "HGETALL",   "SCAN", "HMGET"};
  options.connection.timeout = 20ms;
  options.connection.retry_interval = 1ms;
  begin();
  harness->observer.when_open = [&] {
    put();
    (void)harness->sink->flush();
    (void)harness->sink->read_back(Scope::all, {});
  };
  for (int round = 0; round < 200; ++round) {
    std::string text = array({bulk("0"), bulks({"PORT_TABLE|Ethernet0"})});
    text[random() % text.size()] = static_cast<char>(random() % 256);
    const std::string command = commands[random() % commands.size()];
    answer(command, text);
    const int closes = harness->observer.closes;
    const int read_backs = harness->observer.read_backs;
    BOOST_REQUIRE(
        harness->run([&] { return harness->observer.closes > closes || harness->observer.read_backs > read_backs; }));
    server.close();
  }
  harness->observer.when_open = nullptr;
  server.script = nullptr;
  const int opens = harness->observer.opens;
  BOOST_TEST(harness->run_until_open(opens + 1));
}

BOOST_AUTO_TEST_CASE(sizes_that_are_too_large) {
  for (const char* text : {"*2147483647\r\n", "*1048577\r\n", "*-2\r\n", "$-2\r\n", "$99999999999999999999\r\n",
                           "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"}) {
    BOOST_TEST_CONTEXT(text) {
      server.script = nullptr;
      open();
      answer("EXEC", text);
      put();
      BOOST_TEST(!harness->sink->flush());
      check_given_up_for(redis::Errc::protocol);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_bulk_string_that_never_ends) {
  options.connection.timeout = 100s;
  open();
  answer("EXEC", "$1000000000\r\n");
  put();
  BOOST_TEST(!harness->sink->flush());
  harness->run_for(30ms);
  const std::string chunk(65536, 'x');
  BOOST_REQUIRE(harness->run(
      [&] {
        server.say(chunk);
        return harness->observer.closes > 0;
      },
      100s));  // 64 MiB are copied often, slowly with sanitizers
  BOOST_TEST(harness->observer.closed.front() == make_error_code(redis::Errc::protocol));
}

BOOST_AUTO_TEST_CASE(answers_of_a_wrong_type) {
  const std::string integer = ":1\r\n";
  const std::vector<std::pair<std::string, std::string>> wrong{{"SELECT", integer},
                                                               {"CLIENT SETNAME", nil},
                                                               {"CLIENT ID", ok},
                                                               {"INFO", integer},
                                                               {"MULTI", integer},
                                                               {"HSET", integer},
                                                               {"EXEC", ok},
                                                               {"EXEC", nil},
                                                               {"EXEC", array({integer})},
                                                               {"EXEC", bulks({"a"})},
                                                               {"EXEC", array({nil, nil})},
                                                               {"EXEC", "*0\r\n"}};
  for (const auto& [command, text] : wrong) {
    BOOST_TEST_CONTEXT(command << " -> " << text) {
      server.script = nullptr;
      const bool in_handshake = command == "SELECT" || command.starts_with("CLIENT") || command == "INFO";
      if (in_handshake) {
        answer(command, text);
        begin();
      } else {
        open();
        answer(command, text);
        put();
        BOOST_TEST(!harness->sink->flush());
      }
      check_given_up_for(redis::Errc::protocol);
    }
  }
}

BOOST_AUTO_TEST_CASE(answers_of_a_wrong_type_while_reading) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"HGETALL", ok}, {"HGETALL", bulks({"a"})}, {"SCAN", ok}, {"SCAN", bulks({"0", "x"})}, {"SCAN", "*0\r\n"},
      {"HMGET", ok},   {"HMGET", bulks({"a"})}};
  for (const auto& [command, text] : wrong) {
    BOOST_TEST_CONTEXT(command << " -> " << text) {
      server.script = nullptr;
      open();
      answer(command, text);
      BOOST_TEST(!harness->sink->read_back(command == "HMGET" ? Scope::listed : Scope::all, {"Ethernet0"}));
      check_given_up_for(redis::Errc::protocol);
      BOOST_TEST(harness->observer.read_backs == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(too_many_answers) {
  open();
  server.say(ok);
  check_given_up_for(redis::Errc::protocol);
}

BOOST_AUTO_TEST_CASE(an_unsolicited_error) {
  open();
  server.say("-ERR Protocol error: too big inline request\r\n");
  check_given_up_for(redis::Errc::other);
}

BOOST_AUTO_TEST_CASE(an_endless_scan_is_no_endless_turn) {
  options.connection.timeout = 5s;
  open();
  answer("SCAN", array({bulk("1"), "*0\r\n"}));
  BOOST_TEST(!harness->sink->read_back(Scope::all, {}));
  harness->run_for(100ms);
  put();
  BOOST_TEST(!harness->sink->flush());
  BOOST_TEST(harness->run_until_results(1));
  BOOST_TEST(harness->observer.closes == 0);
}

BOOST_AUTO_TEST_CASE(a_flood_of_answers_is_taken_in_bounded_turns) {
  options.connection.timeout = 10s;
  open();
  std::vector<std::string> names;
  for (int i = 0; i < 5000; ++i) names.push_back("Ethernet" + std::to_string(i));
  std::vector<std::string> entries;
  for (const auto& name : names) {
    entries.push_back(bulk(name));
    entries.push_back(bulk("up"));
  }
  answer("HGETALL", array(entries));
  std::size_t rows_in_turn = 0;
  std::size_t most = 0;
  std::uint64_t turn = 0;
  harness->observer.when_row = [&] {
    rows_in_turn = turn == harness->wakeups ? rows_in_turn + 1 : 1;
    turn = harness->wakeups;
    most = std::max(most, rows_in_turn);
  };
  BOOST_REQUIRE(harness->read_back());
  BOOST_TEST(harness->observer.rows.size() == 5000U);
  BOOST_TEST(most <= 1024U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(errors, HostileFixture)

BOOST_AUTO_TEST_CASE(noauth_at_run_time_closes) {
  open();
  answer("MULTI", "-NOAUTH Authentication required.\r\n");
  put();
  BOOST_TEST(!harness->sink->flush());
  check_given_up_for(redis::Errc::noauth);
}

BOOST_AUTO_TEST_CASE(noauth_while_reading_closes) {
  open();
  answer("SCAN", "-NOAUTH Authentication required.\r\n");
  BOOST_TEST(!harness->sink->read_back(Scope::all, {}));
  check_given_up_for(redis::Errc::noauth);
}

BOOST_AUTO_TEST_CASE(noauth_to_a_probe_closes) {
  options.connection.probe_interval = 30ms;
  open();
  answer("PING", "-NOAUTH Authentication required.\r\n");
  check_given_up_for(redis::Errc::noauth);
}

BOOST_AUTO_TEST_CASE(a_refused_probe_is_an_answer) {
  options.connection.probe_interval = 30ms;
  open();
  answer("PING", "-MISCONF Redis is configured to save RDB snapshots\r\n");
  harness->run_for(400ms);
  BOOST_TEST(server.count("PING") > 3U);
  BOOST_TEST(harness->observer.closes == 0);
}

BOOST_AUTO_TEST_CASE(multi_that_is_unknown) {
  open();
  server.script = [](const std::string& command) -> std::optional<std::string> {
    if (command == "MULTI") return "-ERR unknown command 'MULTI'\r\n";
    if (command == "EXEC") return "-ERR unknown command 'EXEC'\r\n";
    return std::nullopt;
  };
  put();
  BOOST_TEST(!harness->sink->flush());
  BOOST_REQUIRE(harness->run_until_results(1));
  BOOST_TEST(!harness->observer.results[0].error);
  put();
  BOOST_TEST(!harness->sink->flush());
  BOOST_REQUIRE(harness->run_until_results(2));
  BOOST_TEST(server.count("MULTI") == 1U);
}

// Unlike Redis, this server stays in the MULTI.
BOOST_AUTO_TEST_CASE(exec_that_is_refused_without_leaving_the_multi) {
  open();
  bool stuck = false;
  server.script = [&](const std::string& command) -> std::optional<std::string> {
    if (command == "EXEC") {
      stuck = true;
      return "-NOPERM this user has no permissions to run the 'exec' command\r\n";
    }
    if (stuck && command == "DISCARD") stuck = false;
    if (stuck) return queued;
    if (command.starts_with("HSET") && server.count("DISCARD") > 0) return ":1\r\n";
    return std::nullopt;
  };
  put();
  BOOST_TEST(!harness->sink->flush());
  BOOST_REQUIRE(harness->run_until_results(1));
  BOOST_TEST(harness->observer.results[0].error == make_error_code(portsync::Errc::try_again));
  put();
  BOOST_TEST(!harness->sink->flush());
  BOOST_REQUIRE(harness->run_until_results(2));
  BOOST_TEST(!harness->observer.results[1].error);
  BOOST_TEST(harness->observer.closes == 0);
}

// Some servers quote what they were sent.
BOOST_AUTO_TEST_CASE(the_password_is_in_no_text) {
  options.connection.password = "s3cret";
  for (const char* command : {"AUTH", "SELECT", "INFO"}) {
    BOOST_TEST_CONTEXT(command) {
      answer(command, "-BUSY unknown command, with args beginning with: 's3cret'\r\n");
      begin();
      BOOST_REQUIRE(harness->run_until_closed());
      BOOST_TEST(harness->sink->statistics().last_error != "");
      BOOST_TEST(harness->sink->statistics().last_error.find("s3cret") == std::string::npos);
      BOOST_TEST(harness->observer.closed[0].message().find("s3cret") == std::string::npos);
    }
  }
  server.script = nullptr;
  open();
  answer("HSET", "-ERR s3cret\r\n");
  put();
  BOOST_TEST(!harness->sink->flush());
  BOOST_REQUIRE(harness->run_until_results(1));
  BOOST_TEST(harness->sink->statistics().last_error.find("s3cret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(texts_of_a_hostile_server_are_made_harmless) {
  answer("SELECT", "-ERR \x1b[2Jevil\x07" + std::string(1000, 'x') + "\r\n");
  begin();
  BOOST_REQUIRE(harness->run_until_closed());
  const auto text = harness->sink->statistics().last_error;
  BOOST_TEST(text.size() <= 200U);
  BOOST_TEST(text.find("?[2Jevil?") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
