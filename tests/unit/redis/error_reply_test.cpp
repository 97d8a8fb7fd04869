// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_error_reply
#include <boost/test/unit_test.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "redis/error_reply.hpp"

using namespace portsync::redis;

BOOST_AUTO_TEST_CASE(error_replies_are_classified_by_their_first_word) {
  BOOST_CHECK(classify("OOM command not allowed when used memory > 'maxmemory'.") == Errc::oom);
  BOOST_CHECK(classify("READONLY You can't write against a read only replica.") == Errc::readonly);
  BOOST_CHECK(classify("NOPERM this user has no permissions to run the 'hset' command") == Errc::noperm);
  BOOST_CHECK(classify("NOAUTH Authentication required.") == Errc::noauth);
  BOOST_CHECK(classify("WRONGPASS invalid username-password pair or user is disabled.") == Errc::wrongpass);
  BOOST_CHECK(classify("LOADING Redis is loading the dataset in memory") == Errc::loading);
  BOOST_CHECK(classify("BUSY Redis is busy running a script.") == Errc::busy);
  BOOST_CHECK(classify("MISCONF Redis is configured to save RDB snapshots, but") == Errc::misconf);
  BOOST_CHECK(classify("NOREPLICAS Not enough good replicas to write.") == Errc::noreplicas);
  BOOST_CHECK(classify("WRONGTYPE Operation against a key holding the wrong kind of value") == Errc::wrongtype);
  BOOST_CHECK(classify("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.") ==
              Errc::masterdown);
  BOOST_CHECK(classify("ERR max number of clients reached") == Errc::max_clients);
  BOOST_CHECK(classify("ERR max number of clients + cluster connections reached") == Errc::max_clients);
}

// The error replies of Redis 6, from EVAL and from redis.pcall(), and of Redis 7.
BOOST_AUTO_TEST_CASE(refusals_of_commands_in_a_script_are_classified_too) {
  for (const auto& [text, code] : std::vector<std::pair<std::string, Errc>>{
           {"ERR Error running script (call to f_6d): @user_script:1: @user_script: 1: -READONLY You can't write "
            "against "
            "a read only replica.",
            Errc::readonly},
           {"@user_script: 31: -OOM command not allowed when used memory > 'maxmemory'.", Errc::oom},
           {"ERR Error running script (call to f_6d): @user_script:7: WRONGTYPE Operation against a key",
            Errc::wrongtype},
           {"@user_script: 12: Unknown Redis command called from Lua script", Errc::other},
           {"READONLY You can't write against a read only replica. script: f_6d, on @user_script:1.", Errc::readonly},
           {"ERR Error compiling script (new function): user_script:1: '=' expected near 'x'", Errc::other},
           {"NOPERM @user_script:", Errc::noperm}}) {
    BOOST_TEST_INFO(text);
    BOOST_CHECK(classify(text) == code);
  }
}

BOOST_AUTO_TEST_CASE(any_other_error_reply_is_other) {
  for (const char* text : {"", "ERR", "ERR unknown command", "EXECABORT Transaction discarded", "BUSYKEY",
                           "BUSYGROUP x", "oom", " OOM", "ERR OOM"}) {
    BOOST_TEST_INFO(text);
    BOOST_CHECK(classify(text) == Errc::other);
  }
  BOOST_CHECK(classify("OOM") == Errc::oom);
}

BOOST_AUTO_TEST_CASE(an_aborted_exec_is_known) {
  BOOST_TEST(is_exec_abort("EXECABORT Transaction discarded because of previous errors."));
  BOOST_TEST(!is_exec_abort("ERR EXEC without MULTI"));
}

BOOST_AUTO_TEST_CASE(only_errors_that_another_server_may_not_have_end_a_connection) {
  for (int value = 1; value <= static_cast<int>(Errc::idle); ++value) {
    const auto code = static_cast<Errc>(value);
    BOOST_TEST(ends_connection(code) == (code == Errc::readonly || code == Errc::noauth || code == Errc::max_clients));
  }
}

// A full memory or disk is fixed on the server, so that another connection does not help.
BOOST_AUTO_TEST_CASE(only_a_server_that_may_serve_nothing_for_ever_is_left_for_it) {
  for (int value = 1; value <= static_cast<int>(Errc::idle); ++value) {
    const auto code = static_cast<Errc>(value);
    const bool leaves =
        code == Errc::loading || code == Errc::busy || code == Errc::masterdown || code == Errc::noreplicas;
    BOOST_TEST(refuses_all(code) == leaves);
  }
}

BOOST_AUTO_TEST_CASE(every_error_has_a_message_of_its_own) {
  std::set<std::string> messages;
  for (int value = 1; value <= static_cast<int>(Errc::idle); ++value) {
    messages.insert(make_error_code(static_cast<Errc>(value)).message());
  }
  BOOST_TEST(messages.size() == static_cast<std::size_t>(Errc::idle));
  BOOST_TEST(std::string(error_category().name()) == "redis");
  BOOST_TEST(std::error_code(999, error_category()).message() == "unknown error 999");
  BOOST_TEST(!messages.contains("unknown error 1"));
}

BOOST_AUTO_TEST_CASE(texts_for_people_are_short_and_printable) {
  BOOST_TEST(printable("ERR fine 'x'") == "ERR fine 'x'");
  BOOST_TEST(printable("a\x1b[31m\n\x80") == "a?[31m??");
  BOOST_TEST(printable(std::string(5000, 'x')).size() == 200U);
}
