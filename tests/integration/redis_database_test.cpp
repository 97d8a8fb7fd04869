// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_database
#include <boost/test/unit_test.hpp>
#include <portsync/error.hpp>
#include <portsync/redis/database.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/cpp/redis_database.hpp"
#include "support/cpp/redis_server.hpp"
#include "support/cpp/wait.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;
using Type = redis::Answer::Type;

namespace {

struct Fixture : DatabaseFixture {
  struct Heard {
    std::error_code error;
    redis::Answer answer;
  };
  std::vector<Heard> heard;

  redis::Database::Handler keep() {
    return [this](std::error_code error, const redis::Answer& answer) { heard.push_back({error, answer}); };
  }
  void ask(const std::vector<std::string_view>& words) { BOOST_REQUIRE(!database->command(words, keep())); }
  redis::Answer answer_to(const std::vector<std::string_view>& words) {
    const auto before = heard.size();
    ask(words);
    until([&] { return heard.size() > before; });
    BOOST_TEST(!heard.back().error);
    return heard.back().answer;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(every_type_of_answer, Fixture) {
  open();
  BOOST_TEST((answer_to({"PING"}).type == Type::status));
  BOOST_TEST(heard.back().answer.text == "PONG");
  BOOST_TEST((answer_to({"GET", "nothing"}).type == Type::nil));
  BOOST_TEST((answer_to({"INCRBY", "n", "-7"}).type == Type::integer));
  BOOST_TEST(heard.back().answer.integer == -7);
  const std::string bytes("a\0\r\n\xff", 5);
  answer_to({"SET", "k", bytes});
  BOOST_TEST((answer_to({"GET", "k"}).type == Type::string));
  BOOST_TEST(heard.back().answer.text == bytes);
  const auto nested = answer_to({"EVAL", "return {1, {'a', redis.error_reply('MY no')}, false}", "0"});
  BOOST_REQUIRE((nested.type == Type::array));
  BOOST_REQUIRE(nested.elements.size() == 3U);
  BOOST_TEST(nested.elements[0].integer == 1);
  BOOST_TEST(nested.elements[1].elements[0].text == "a");
  BOOST_TEST((nested.elements[1].elements[1].type == Type::error));
  BOOST_TEST(nested.elements[1].elements[1].text == "MY no");
  BOOST_TEST((nested.elements[2].type == Type::nil));
}

BOOST_FIXTURE_TEST_CASE(commands_are_answered_in_order_and_from_process_alone, Fixture) {
  open();
  for (int i = 0; i < 3000; ++i) ask({"INCR", "n"});
  BOOST_TEST(readable(*database));
  BOOST_TEST(heard.empty());
  until([this] { return heard.size() == 3000U; });
  for (std::size_t i = 0; i < heard.size(); ++i) {
    if (heard[i].answer.integer != static_cast<std::int64_t>(i) + 1) BOOST_FAIL("out of order");
  }
  process_until_idle(*database);
  BOOST_TEST(database->last_error() == "");
}

BOOST_FIXTURE_TEST_CASE(commands_of_a_handler_leave_too, Fixture) {
  open();
  BOOST_REQUIRE(!database->command({"INCR", "n"}, [this](std::error_code, const redis::Answer&) {
    ask({"INCR", "n"});
    BOOST_REQUIRE(!database->command({"INCR", "n"}, {}));
  }));
  ask({"INCR", "n"});
  until([this] { return heard.size() == 2U; });
  BOOST_TEST(answer_to({"GET", "n"}).text == "4");
}

BOOST_FIXTURE_TEST_CASE(the_numbered_database_is_the_one_that_was_asked_for, Fixture) {
  options.database = 4;
  open();
  answer_to({"SET", "k", "v"});
  auto client = server.client();
  BOOST_TEST(client({"GET", "k"}) == "(nil)");
  client({"SELECT", "4"});
  BOOST_TEST(client({"GET", "k"}) == "v");
}

BOOST_FIXTURE_TEST_CASE(an_error_reply_is_that_commands_alone, Fixture) {
  open();
  ask({"SET", "k", "v"});
  ask({"HGETALL", "k"});
  ask({"NOSUCH"});
  ask({"GET", "k"});
  until([this] { return heard.size() == 4U; });
  BOOST_TEST(heard[1].error == make_error_code(redis::Errc::wrongtype));
  BOOST_TEST((heard[1].answer.type == Type::nil));
  BOOST_TEST(heard[2].error == make_error_code(redis::Errc::other));
  BOOST_TEST(!heard[3].error);
  BOOST_TEST(heard[3].answer.text == "v");
  BOOST_TEST(database->last_error().find("NOSUCH") != std::string::npos);
  BOOST_TEST(database->open());
  BOOST_TEST(closed.empty());
}

BOOST_FIXTURE_TEST_CASE(what_the_user_may_not_is_noperm, Fixture) {
  open();
  server({"ACL", "SETUSER", "default", "-get"});
  ask({"GET", "k"});
  until([this] { return heard.size() == 1U; });
  BOOST_TEST(heard[0].error == make_error_code(redis::Errc::noperm));
  server({"ACL", "SETUSER", "default", "+get"});
  answer_to({"GET", "k"});
}

BOOST_FIXTURE_TEST_CASE(a_replica_is_left_for_the_next_master, Fixture) {
  open();
  server({"REPLICAOF", "127.0.0.1", "1"});
  ask({"SET", "k", "v"});
  ask({"GET", "k"});
  until([this] { return closed.size() == 1U; });
  BOOST_REQUIRE(heard.size() == 2U);
  BOOST_TEST(heard[0].error == make_error_code(redis::Errc::readonly));
  BOOST_TEST(heard[1].error == make_error_code(redis::Errc::readonly));
  server({"REPLICAOF", "NO", "ONE"});
  until([this] { return opens == 2; });
  answer_to({"SET", "k", "v"});
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_is_lost_answers_each_command_once_and_then_says_closed, Fixture) {
  open();
  server.pause();
  for (int i = 0; i < 3000; ++i) {
    BOOST_REQUIRE(!database->command({"GET", "k"}, [this, i](std::error_code error, const redis::Answer&) {
      BOOST_TEST(closed.empty());
      BOOST_TEST(!database->open());
      // A handler of a lost connection cannot send another command.
      if (i == 0) BOOST_TEST(database->command({"PING"}, keep()) == make_error_code(portsync::Errc::not_open));
      heard.push_back({error, {}});
    }));
  }
  BOOST_REQUIRE(!database->command({"GET", "k"}, {}));
  BOOST_REQUIRE(!database->process());
  server.kill();
  until([this] { return !closed.empty(); });
  BOOST_TEST(heard.size() == 3000U);
  for (const auto& one : heard) {
    if (one.error != closed.front()) BOOST_FAIL("another error");
  }
  BOOST_TEST((closed.front() == redis::Errc::end_of_file || closed.front() == std::errc::connection_reset ||
              closed.front() == std::errc::broken_pipe));
  BOOST_TEST(database->command({"PING"}, keep()) == make_error_code(portsync::Errc::not_open));
}

BOOST_FIXTURE_TEST_CASE(a_server_that_says_nothing_is_given_up, Fixture) {
  options.timeout = 100ms;
  open();
  server.pause();
  ask({"PING"});
  until([this] { return !closed.empty(); });
  BOOST_TEST(heard.size() == 1U);
  BOOST_TEST(heard[0].error == make_error_code(redis::Errc::timeout));
  server.resume();
  until([this] { return opens == 2; });
  answer_to({"PING"});
}

BOOST_FIXTURE_TEST_CASE(after_a_restart_of_the_server_the_run_id_is_another_one, Fixture) {
  make();
  BOOST_TEST(database->run_id() == "");
  open();
  const std::string first = database->run_id();
  BOOST_TEST(first.size() == 40U);
  server.kill();
  until([this] { return !closed.empty(); });
  BOOST_TEST(database->run_id() == first);
  server.start();
  until([this] { return opens == 2; });
  BOOST_TEST(database->run_id().size() == 40U);
  BOOST_TEST(database->run_id() != first);
  const std::string second = database->run_id();
  database->reopen();
  until([this] { return opens == 3; });
  BOOST_TEST(database->run_id() == second);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_does_not_say_its_run_id_has_none, Fixture) {
  server({"ACL", "SETUSER", "default", "-info"});
  open();
  BOOST_TEST(database->run_id() == "");
  answer_to({"PING"});
}

BOOST_FIXTURE_TEST_CASE(given_up_by_its_owner_it_comes_back, Fixture) {
  make();
  database->reopen();
  open();
  ask({"PING"});
  database->reopen();
  BOOST_TEST(!database->open());
  BOOST_TEST(heard.empty());
  until([this] { return opens == 2; });
  BOOST_REQUIRE(heard.size() == 1U);
  BOOST_TEST((heard[0].error == std::errc::operation_canceled));
  BOOST_REQUIRE(closed.size() == 1U);
  BOOST_TEST((closed[0] == std::errc::operation_canceled));
  // A handler may call it, too.
  BOOST_REQUIRE(!database->command({"PING"}, [this](std::error_code, const redis::Answer&) { database->reopen(); }));
  ask({"PING"});
  until([this] { return opens == 3; });
  BOOST_TEST((heard[1].error == std::errc::operation_canceled));
}

BOOST_FIXTURE_TEST_CASE(an_absent_server_is_reported_and_tried_again, Fixture) {
  server.kill();
  start();
  until([this] { return closed.size() >= 2; });
  BOOST_TEST(opens == 0);
  BOOST_TEST(database->last_error() != "");
  server.start();
  until([this] { return opens == 1; });
}

BOOST_FIXTURE_TEST_CASE(what_handlers_throw_leaves_nothing_out, Fixture) {
  make();
  when_open = [] { throw std::runtime_error("open"); };
  BOOST_REQUIRE(!database->start(*this));
  const auto run = [this](auto condition) {
    int thrown = 0;
    while (!condition()) {
      try {
        until(condition);
      } catch (const std::runtime_error&) {
        ++thrown;
      }
    }
    return thrown;
  };
  BOOST_TEST(run([this] { return opens == 1; }) == 1);
  when_open = nullptr;
  int answered = 0;
  for (int i = 0; i < 10; ++i) {
    BOOST_REQUIRE(!database->command({"PING"}, [&answered](std::error_code, const redis::Answer&) {
      ++answered;
      throw std::runtime_error("answer");
    }));
  }
  BOOST_TEST(run([&] { return answered == 10; }) == 10);
  BOOST_TEST(answer_to({"PING"}).text == "PONG");
  answered = 0;
  server.pause();
  for (int i = 0; i < 10; ++i) {
    BOOST_REQUIRE(!database->command({"PING"}, [&answered](std::error_code, const redis::Answer&) {
      ++answered;
      throw std::runtime_error("lost");
    }));
  }
  BOOST_REQUIRE(!database->process());
  server.kill();
  when_closed = [] { throw std::runtime_error("closed"); };
  BOOST_TEST(run([&] { return !closed.empty(); }) == 11);
  BOOST_TEST(answered == 10);
  when_closed = nullptr;
  server.start();
  until([this] { return opens == 2; });
  BOOST_TEST(answer_to({"PING"}).text == "PONG");
}

BOOST_FIXTURE_TEST_CASE(a_password_is_in_no_error, Fixture) {
  server({"CONFIG", "SET", "requirepass", "right"});
  options.password = "very-secret";
  start();
  until([this] { return !closed.empty(); });
  BOOST_TEST(closed[0] == make_error_code(redis::Errc::wrongpass));
  BOOST_TEST(database->last_error().find("very-secret") == std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(misuse_is_an_error, Fixture) {
  make();
  BOOST_TEST(!database->process());
  BOOST_TEST(database->command({"PING"}, keep()) == make_error_code(portsync::Errc::not_open));
  open();
  BOOST_TEST(database->start(*this) == make_error_code(portsync::Errc::already_started));
  BOOST_TEST((database->command({}, keep()) == std::errc::invalid_argument));
  redis::ConnectionOptions bad;
  bad.host.clear();
  BOOST_CHECK_THROW((void)redis::make_database(bad), std::invalid_argument);
}
