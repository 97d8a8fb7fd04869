// SPDX-License-Identifier: Apache-2.0
// When the Redis sink gives up a connection, when it does not, and what happens to the previous one.
#define BOOST_TEST_MODULE redis_given_up
#include <boost/test/unit_test.hpp>
#include <portsync/error.hpp>
#include <portsync/redis/state_sink.hpp>

#include "support/cpp/hostile_fixture.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

namespace {

struct GivenUpFixture : HostileFixture {
  std::string run_id = "A";
  std::map<std::string, std::string> answers;  // by the beginning of the command

  GivenUpFixture() {
    server.script = [this](const std::string& command) -> std::optional<std::string> {
      if (command.starts_with("INFO")) return bulk("# Server\r\nrun_id:" + run_id + "\r\n");
      for (const auto& [beginning, text] : answers) {
        if (command.starts_with(beginning)) return text;
      }
      return std::nullopt;
    };
  }
  void put_and_flush() {
    put();
    BOOST_TEST(!harness->sink->flush());
  }
  // Loses the connection while a write is outstanding.
  void lose() {
    const int closes = harness->observer.closes;
    server.deaf = true;
    put_and_flush();
    server.close();
    server.deaf = false;
    BOOST_REQUIRE(harness->run_until_closed(closes + 1));
    server.received.clear();
  }
  void reopen() {
    const int opens = harness->observer.opens;
    BOOST_REQUIRE(harness->run_until_open(opens + 1));
  }
  [[nodiscard]] const StoreWords& words() const { return dynamic_cast<const StoreWords&>(*harness->sink); }
  // Sends the text in so many pieces, one every 50 ms.
  void say_slowly(const std::string& text, std::size_t pieces) {
    const std::size_t size = text.size() / pieces + 1;
    for (std::size_t at = 0; at < text.size() && harness->observer.closes == 0; at += size) {
      server.say(text.substr(at, size));
      harness->run_for(50ms);
    }
  }
};

const std::string masterdown = "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n";
const std::string no_kill = "-NOPERM this user has no permissions to run the 'client|kill' command\r\n";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(slow_links, GivenUpFixture)

// The timeout is one of silence. With a timeout for the whole reply, a switch behind a slow link read its index again
// and again, and never to the end.
BOOST_AUTO_TEST_CASE(a_large_answer_over_a_slow_link_is_no_silence) {
  open();
  answers["HGETALL"] = answers["SCAN"] = "";
  BOOST_TEST(!harness->sink->read_back(Scope::all, {}));
  BOOST_REQUIRE(harness->run([&] { return server.count("SCAN") > 0; }));
  std::vector<std::string> entries;
  for (int i = 0; i < 1000; ++i) entries.insert(entries.end(), {bulk("Ethernet" + std::to_string(i)), bulk("up")});
  say_slowly(array(entries), 10);
  server.say(array({bulk("0"), "*0\r\n"}));  // the reply to SCAN
  BOOST_TEST(harness->run([&] { return harness->observer.read_backs == 1; }));
  BOOST_TEST(harness->observer.closes == 0);
  BOOST_TEST(harness->observer.rows.size() == 1000U);
}

// It was once waited for as long as a link of 1 KiB per second would have needed for the bytes that had arrived.
BOOST_AUTO_TEST_CASE(a_large_answer_that_stalls_is_given_up) {
  open();
  answers["HGETALL"] = answers["SCAN"] = "";
  BOOST_TEST(!harness->sink->read_back(Scope::all, {}));
  BOOST_REQUIRE(harness->run([&] { return server.count("SCAN") > 0; }));
  server.say("*2\r\n$1048576\r\n" + std::string(std::size_t{512} << 10U, 'a'));
  BOOST_REQUIRE(harness->run_until_closed());
  BOOST_TEST(harness->observer.closed.at(0) == make_error_code(redis::Errc::timeout));
}

BOOST_AUTO_TEST_CASE(many_answers_one_after_the_other_are_no_silence) {
  open();
  answers["HMGET"] = "";
  std::vector<std::string_view> ports{"E0", "E1", "E2", "E3", "E4", "E5", "E6", "E7"};
  BOOST_TEST(!harness->sink->read_back(Scope::listed, ports));
  BOOST_REQUIRE(harness->run([&] { return server.count("HMGET PORT_TABLE|") == ports.size(); }));
  server.say(array(std::vector<std::string>(ports.size(), bulk("up"))));  // the index
  for (std::size_t i = 0; i < ports.size(); ++i) {
    harness->run_for(60ms);
    server.say(bulks({"ok", "up", "up", "9100"}));
  }
  BOOST_TEST(harness->run([&] { return harness->observer.read_backs == 1; }));
  BOOST_TEST(harness->observer.closes == 0);
}

// Otherwise a byte now and then would keep the connection open for ever.
BOOST_AUTO_TEST_CASE(a_trickle_is_silence) {
  open();
  answers["EXEC"] = "";
  put_and_flush();
  BOOST_REQUIRE(harness->run([this] { return server.count("EXEC") == 1; }));
  say_slowly("+" + std::string(100, 'a'), 100);
  BOOST_TEST(harness->observer.closes == 1);
  BOOST_TEST(harness->observer.closed.at(0) == make_error_code(redis::Errc::timeout));
}

// The connection once read up to 64 MiB at full CPU load, which is all the memory that the unit may use.
BOOST_AUTO_TEST_CASE(a_line_without_an_end_is_given_up_early) {
  options.connection.timeout = 100s;
  open();
  answers["EXEC"] = "+";
  put_and_flush();
  std::size_t said = 0;
  const std::string chunk(16384, 'a');
  BOOST_REQUIRE(harness->run([&] {
    if (server.count("EXEC") == 0) return false;
    server.say(chunk);
    said += chunk.size();
    return harness->observer.closes > 0;
  }));
  BOOST_TEST(harness->observer.closed.at(0) == make_error_code(redis::Errc::protocol));
  BOOST_TEST(said < (std::size_t{1} << 20U));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(lost_connections, GivenUpFixture)

BOOST_AUTO_TEST_CASE(a_lost_connection_is_killed_also_after_another_server_was_open) {
  open();
  lose();  // client 1 of A
  run_id = "B";
  reopen();
  BOOST_TEST(server.count("CLIENT KILL") == 0U);
  lose();  // client 2 of B
  run_id = "A";
  reopen();
  BOOST_TEST(server.count("CLIENT KILL ID 1") == 1U);
  BOOST_TEST(server.count("CLIENT KILL ID 2") == 0U);
}

BOOST_AUTO_TEST_CASE(a_kill_that_is_refused_is_a_trouble_until_it_is_not) {
  options.connection.probe_interval = 50ms;
  answers["CLIENT KILL"] = no_kill;
  open();
  BOOST_TEST(words().trouble() == "");  // nothing was lost yet
  lose();
  reopen();
  BOOST_TEST(words().trouble() ==
             "late writes of a lost connection cannot be prevented, CLIENT KILL: NOPERM this user has no permissions "
             "to run the 'client|kill' command");
  answers.erase("CLIENT KILL");
  BOOST_TEST(harness->run([this] { return words().trouble().empty(); }));
  BOOST_TEST(harness->observer.closes == 1);
  harness->run_for(200ms);
  BOOST_TEST(server.count("PING") > 0U);  // then the probe is a PING again
}

// The kill once waited for a quiet connection, which a busy switch never has.
BOOST_AUTO_TEST_CASE(a_refused_kill_is_tried_again_on_a_busy_connection) {
  options.connection.probe_interval = 10s;
  options.connection.retry_interval = 50ms;
  answers["CLIENT KILL"] = no_kill;
  open();
  lose();
  reopen();
  answers.erase("CLIENT KILL");
  int batches = 0;
  BOOST_TEST(harness->run([&] {
    if (++batches % 2 == 0) put_and_flush();
    return words().trouble().empty();
  }));
}

BOOST_AUTO_TEST_CASE(a_lost_connection_to_a_server_without_a_run_id_is_a_fault) {
  const std::string refused = "-NOPERM this user has no permissions to run the 'info' command\r\n";
  server.script = [refused](const std::string& command) {
    return command.starts_with("INFO") ? std::optional(refused) : std::nullopt;
  };
  open();
  put_and_flush();
  server.close();
  reopen();
  BOOST_TEST(words().trouble().find("INFO: NOPERM this user has no permissions to run the 'info' command") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(no_client_is_killed_when_nothing_was_on_its_way) {
  open();
  server.close();
  reopen();
  BOOST_TEST(server.count("CLIENT KILL") == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(servers_that_only_refuse, GivenUpFixture)

// Meanwhile the name may lead to another server, and each attempt to connect resolves it again.
BOOST_AUTO_TEST_CASE(one_that_only_refuses_is_left_after_a_while_with_its_words) {
  for (const char* command : {"HGETALL", "SCAN", "HMGET", "HSET"}) answers[command] = masterdown;
  open();
  const auto begin = std::chrono::steady_clock::now();
  while (harness->observer.closes == 0 && std::chrono::steady_clock::now() - begin < 5s) {
    const int before = harness->observer.read_backs;
    if (!harness->sink->read_back(Scope::all, {}))
      (void)harness->run([&] { return harness->observer.read_backs > before || harness->observer.closes > 0; });
    harness->run_for(20ms);
  }
  BOOST_REQUIRE(harness->observer.closes == 1);
  BOOST_TEST(harness->observer.closed.at(0) == make_error_code(redis::Errc::masterdown));
  BOOST_TEST(words().error_text() ==
             "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.");
  BOOST_TEST((std::chrono::steady_clock::now() - begin >= 450ms));
}

BOOST_AUTO_TEST_CASE(one_that_answers_now_and_then_is_kept) {
  answers["HSET"] = "-NOREPLICAS Not enough good replicas to write.\r\n";
  open();
  for (int i = 0; i < 15; ++i) {
    const std::size_t results = harness->observer.results.size();
    put_and_flush();
    BOOST_REQUIRE(harness->run_until_results(results + 1));
    BOOST_REQUIRE(harness->read_back());
    harness->run_for(50ms);
  }
  BOOST_TEST(harness->observer.closes == 0);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(idle_connections, GivenUpFixture)

BOOST_AUTO_TEST_CASE(a_server_that_closes_an_idle_connection_is_reopened_at_once) {
  open();
  harness->run_for(50ms);
  server.close();
  BOOST_REQUIRE(harness->run_until_closed());
  reopen();
  BOOST_TEST(harness->observer.closed.size() == 1U);
  BOOST_TEST(harness->observer.closed.at(0) == make_error_code(portsync::Errc::try_again));
}

BOOST_AUTO_TEST_CASE(what_another_server_process_holds_is_not_known) {
  open();
  harness->run_for(50ms);
  server.close();
  run_id = "B";
  reopen();
  BOOST_TEST(harness->observer.closed.size() == 2U);
  BOOST_TEST(harness->observer.closed.back() == make_error_code(redis::Errc::end_of_file));
}

BOOST_AUTO_TEST_CASE(one_that_does_it_again_is_asked_for_a_sign_of_life_in_time) {
  options.connection.probe_interval = 10s;
  open();
  for (int i = 1; i <= 2; ++i) {
    harness->run_for(600ms);
    BOOST_TEST(server.count("PING") == 0U);
    server.close();
    BOOST_REQUIRE(harness->run_until_open(i + 1));
  }
  BOOST_TEST(harness->run([this] { return server.count("PING") > 0; }, 550ms));
}

BOOST_AUTO_TEST_CASE(one_that_hangs_up_at_once_is_not_asked_again_and_again) {
  options.connection.retry_interval = 100ms;
  begin();
  harness->observer.when_open = [this] { server.close(); };
  harness->run_for(1s);
  BOOST_TEST(harness->observer.opens <= 13);
  for (const auto& error : harness->observer.closed) BOOST_TEST(error == make_error_code(redis::Errc::end_of_file));
}

BOOST_AUTO_TEST_SUITE_END()
