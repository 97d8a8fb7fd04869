// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_error_reply
#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

#include "redis/error_reply.hpp"

using namespace portsync::redis;

BOOST_AUTO_TEST_CASE(error_replies_are_told_apart_by_their_first_word) {
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
  BOOST_CHECK(classify("ERR max number of clients reached") == Errc::max_clients);
  BOOST_CHECK(classify("ERR max number of clients + cluster connections reached") == Errc::max_clients);
}

BOOST_AUTO_TEST_CASE(any_other_error_reply_is_other) {
  for (const char* text : {"", "ERR", "ERR unknown command", "EXECABORT Transaction discarded", "BUSYKEY",
                           "BUSYGROUP x", "oom", " OOM", "MASTERDOWN Link with MASTER is down", "ERR OOM"}) {
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
  for (int value = 1; value <= static_cast<int>(Errc::other); ++value) {
    const auto code = static_cast<Errc>(value);
    BOOST_TEST(ends_connection(code) == (code == Errc::readonly || code == Errc::noauth || code == Errc::max_clients));
  }
}

BOOST_AUTO_TEST_CASE(every_error_has_a_message_of_its_own) {
  std::set<std::string> messages;
  for (int value = 1; value <= static_cast<int>(Errc::other); ++value) {
    messages.insert(make_error_code(static_cast<Errc>(value)).message());
  }
  BOOST_TEST(messages.size() == static_cast<std::size_t>(Errc::other));
  BOOST_TEST(std::string(error_category().name()) == "redis");
  BOOST_TEST(std::error_code(999, error_category()).message() == "unknown error 999");
  BOOST_TEST(!messages.contains("unknown error 1"));
}

BOOST_AUTO_TEST_CASE(texts_for_people_are_short_and_printable) {
  BOOST_TEST(printable("ERR fine 'x'") == "ERR fine 'x'");
  BOOST_TEST(printable("a\x1b[31m\n\x80") == "a?[31m??");
  BOOST_TEST(printable(std::string(5000, 'x')).size() == 200U);
}
