// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_answers
#include "redis/answers.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <portsync/error.hpp>
#include <portsync/redis/state_sink.hpp>

#include "support/cpp/resp_text.hpp"

using namespace portsync;
using namespace portsync::redis;
using namespace portsync::test;

namespace {

const std::string one = ":1\r\n";
const std::string zero = ":0\r\n";
const std::string noperm = "-NOPERM this user has no permissions\r\n";
const std::string oom = "-OOM command not allowed\r\n";
const std::string wrongtype = "-WRONGTYPE Operation against a key\r\n";
const std::string loading = "-LOADING Redis is loading\r\n";
const std::string aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";

struct Fixture {
  Answers answers;
  Revision revision = 0;
  const TimePoint sent = TimePoint{} + std::chrono::seconds(7);
  Answers::Outcome outcome;
  std::unique_ptr<Answer> said;

  void put(std::size_t commands = 1) {
    answers.add("E" + std::to_string(revision), revision + 1, false).unanswered = commands;
    ++revision;
  }
  void erase() {
    answers.add("E" + std::to_string(revision), revision + 1, true).unanswered = 1;
    ++revision;
  }
  // Sends `count` rows of one command each, in a MULTI with one index command.
  void send_multi(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) put();
    answers.on_batch_sent({true, count, 1}, sent);
  }
  void send_plain(std::size_t count, std::size_t index_commands = 0) {
    for (std::size_t i = 0; i < count; ++i) put();
    answers.on_batch_sent({false, count, index_commands}, sent);
  }
  void reply(const std::string& text) {
    said = std::make_unique<Answer>(text);  // the outcome borrows from it
    outcome = answers.on_reply(*said);
  }
  void reply(std::initializer_list<std::string> texts) {
    for (const auto& text : texts) {
      reply(text);
      BOOST_TEST(outcome.fits);
    }
  }
  // Takes the next result, and checks its revision and error.
  void check_result(Revision expected, std::error_code error = {}) {
    Answers::Row row;
    BOOST_REQUIRE(answers.take_result(row));
    BOOST_TEST(row.revision == expected);
    BOOST_TEST(row.port == "E" + std::to_string(expected - 1));
    BOOST_TEST(row.error == error);
  }
  void check_no_result() {
    Answers::Row row;
    BOOST_TEST(!answers.take_result(row));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(answers_, Fixture)

BOOST_AUTO_TEST_CASE(plain_rows_have_their_results_one_by_one) {
  send_plain(2);
  check_no_result();
  reply(one);
  BOOST_TEST(!outcome.batch_since.has_value());
  check_result(1);
  check_no_result();
  reply(oom);
  BOOST_TEST((outcome.batch_since == sent));
  BOOST_TEST(outcome.error == make_error_code(redis::Errc::oom));
  check_result(2, redis::Errc::oom);
  BOOST_TEST(answers.rows() == 0U);
}

BOOST_AUTO_TEST_CASE(rows_of_a_multi_have_theirs_from_exec) {
  send_multi(2);
  reply({ok, queued, queued, queued});
  check_no_result();
  reply(array({zero, one, zero}));
  BOOST_TEST(outcome.fits);
  BOOST_TEST((outcome.batch_since == sent));
  check_result(1);
  check_result(2);
  check_no_result();
  BOOST_TEST(!answers.plain());
}

BOOST_AUTO_TEST_CASE(an_error_inside_exec_is_its_rows_alone) {
  send_multi(3);
  reply({ok, queued, queued, queued, queued, array({zero, wrongtype, zero, zero})});
  check_result(1);
  check_result(2, redis::Errc::wrongtype);
  check_result(3);
  BOOST_TEST(!answers.plain());
}

BOOST_AUTO_TEST_CASE(a_failing_index_inside_exec_fails_no_row) {
  send_multi(1);
  reply({ok, queued, queued, array({zero, wrongtype})});
  check_result(1);
  BOOST_TEST(answers.index_failures() == 1U);
}

BOOST_AUTO_TEST_CASE(a_row_refused_while_queued_leaves_the_others_to_be_tried_again_without_multi) {
  send_multi(3);
  reply({ok, queued, noperm, queued, queued, aborted});
  check_result(1, portsync::Errc::try_again);
  check_result(2, redis::Errc::noperm);
  check_result(3, portsync::Errc::try_again);
  BOOST_TEST(answers.plain());
  BOOST_TEST(!outcome.stuck);
}

BOOST_AUTO_TEST_CASE(an_index_refused_while_queued_leaves_all_rows_to_be_tried_again_without_multi) {
  send_multi(2);
  reply({ok, queued, queued, noperm, aborted});
  check_result(1, portsync::Errc::try_again);
  check_result(2, portsync::Errc::try_again);
  BOOST_TEST(answers.index_failures() == 1U);
  BOOST_TEST(answers.plain());
  send_plain(2, 1);
  reply({one, one, noperm});
  check_result(3);
  check_result(4);
  BOOST_TEST(answers.index_failures() == 2U);
  BOOST_TEST(answers.plain());
}

BOOST_AUTO_TEST_CASE(multi_is_used_again_after_a_batch_with_an_index_without_any_refusal) {
  send_multi(1);
  reply({ok, oom, oom, aborted});
  check_result(1, redis::Errc::oom);
  send_plain(1, 1);
  reply({oom, one});
  BOOST_TEST(answers.plain());  // a row was refused
  send_plain(1);
  reply(one);
  BOOST_TEST(answers.plain());  // the batch had no index
  send_plain(1, 1);
  reply({one, one});
  BOOST_TEST(!answers.plain());
}

BOOST_AUTO_TEST_CASE(multi_is_tried_again_on_a_new_connection) {
  send_multi(1);
  reply({ok, noperm, queued, aborted});
  BOOST_TEST(answers.plain());
  answers.on_closed();
  answers.on_opened();
  BOOST_TEST(!answers.plain());
}

BOOST_AUTO_TEST_CASE(when_multi_is_refused_the_rows_are_executed_one_by_one) {
  send_multi(2);
  reply({noperm, one, oom, one, "-ERR EXEC without MULTI\r\n"});
  check_result(1);
  check_result(2, redis::Errc::oom);
  BOOST_TEST(answers.plain());
}

BOOST_AUTO_TEST_CASE(when_multi_is_refused_for_now_so_are_the_rows_and_multi_stays) {
  send_multi(2);
  reply({loading, loading, loading, loading, loading});
  check_result(1, redis::Errc::loading);
  check_result(2, redis::Errc::loading);
  BOOST_TEST(!answers.plain());
  BOOST_TEST(answers.index_failures() == 1U);
}

BOOST_AUTO_TEST_CASE(when_exec_itself_is_refused_the_rows_are_tried_again_without_multi) {
  send_multi(2);
  reply({ok, queued, queued, queued, "-EXECABORT Transaction discarded because of: BUSY\r\n"});
  check_result(1, portsync::Errc::try_again);
  check_result(2, portsync::Errc::try_again);
  BOOST_TEST(answers.plain());
  BOOST_TEST(!outcome.stuck);
}

BOOST_AUTO_TEST_CASE(a_server_that_refuses_exec_without_leaving_the_multi_gets_a_discard) {
  send_multi(1);
  reply({ok, queued, queued, noperm});
  BOOST_TEST(outcome.stuck);
  check_result(1, portsync::Errc::try_again);
  answers.on_discard_sent();
  reply("-ERR DISCARD without MULTI\r\n");
  BOOST_TEST(outcome.fits);
}

BOOST_AUTO_TEST_CASE(rows_without_commands_have_their_result_with_their_batch) {
  put(0);
  answers.on_batch_sent({true, 0, 1}, sent);
  reply({ok, queued});
  check_no_result();
  reply(array({one}));
  check_result(1);
  put(0);
  answers.on_batch_sent({false, 0, 0}, sent);
  check_result(2);
}

BOOST_AUTO_TEST_CASE(results_keep_the_order_of_the_rows) {
  put(0);
  put(1);
  answers.on_batch_sent({false, 1, 1}, sent);
  reply(one);
  check_no_result();  // the first row waits for the index
  reply(one);
  check_result(1);
  check_result(2);
}

BOOST_AUTO_TEST_CASE(a_row_of_two_commands_has_one_result_the_first_refusal) {
  put(2);
  put(2);
  answers.on_batch_sent({false, 4, 0}, sent);
  reply(one);
  check_no_result();
  reply(one);
  check_result(1);
  reply(oom);
  check_no_result();
  reply(wrongtype);
  check_result(2, redis::Errc::oom);
}

BOOST_AUTO_TEST_CASE(what_is_not_a_hash_holds_nothing_of_ours_to_erase) {
  erase();
  answers.on_batch_sent({false, 1, 0}, sent);
  reply(wrongtype);
  check_result(1);
}

BOOST_AUTO_TEST_CASE(batches_may_follow_one_another_unanswered) {
  send_multi(1);
  send_plain(1);
  send_multi(1);
  answers.on_reads_sent(1);
  reply({ok, queued, queued, array({one, one}), one, ok, queued, queued, array({one, oom})});
  check_result(1);
  check_result(2);
  check_result(3);
  BOOST_TEST(!outcome.is_read);
  reply("*0\r\n");
  BOOST_TEST(outcome.is_read);
}

BOOST_AUTO_TEST_CASE(a_closed_connection_forgets_what_it_does_not_know) {
  send_multi(2);
  reply({ok, "-READONLY You can't write against a read only replica.\r\n"});
  BOOST_TEST(outcome.error == make_error_code(redis::Errc::readonly));
  put();  // added, but not sent
  answers.on_closed();
  check_result(1, redis::Errc::readonly);
  check_no_result();
  BOOST_TEST(answers.rows() == 0U);
  // The next batch works again.
  send_plain(1);
  reply(one);
  check_result(4);
}

BOOST_AUTO_TEST_CASE(answers_that_do_not_fit) {
  reply(one);
  BOOST_TEST(!outcome.fits);  // no command awaits a reply

  const std::vector<std::vector<std::string>> wrong{
      {"*0\r\n"},                // the reply to MULTI
      {ok, ok},                  // the reply to a queued command
      {ok, queued, one},         // the reply to the index command
      {ok, queued, queued, ok},  // the reply to EXEC
      {ok, queued, queued, nil},
      {ok, queued, queued, array({one})},            // too few
      {ok, queued, queued, array({one, one, one})},  // too many
      {ok, queued, queued, array({one, "*0\r\n"})},
      {ok, queued, queued, array({bulk("x"), one})},
      {noperm, queued},  // MULTI was refused, and a command is queued nevertheless
  };
  for (const auto& texts : wrong) {
    Fixture fresh;
    fresh.send_multi(1);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      fresh.reply(texts[i]);
      BOOST_TEST(fresh.outcome.fits == (i + 1 < texts.size()));
    }
  }
  send_plain(1);
  reply(ok);
  BOOST_TEST(!outcome.fits);
}

BOOST_AUTO_TEST_CASE(a_refused_row_is_reported_with_the_servers_words) {
  send_multi(2);
  reply({ok, oom, queued, queued, aborted});
  Answers::Row row;
  BOOST_REQUIRE(answers.take_result(row));
  BOOST_TEST(row.text == "OOM command not allowed");
  BOOST_REQUIRE(answers.take_result(row));
  BOOST_TEST(row.error == make_error_code(portsync::Errc::try_again));
  send_plain(1);
  reply(one);
  BOOST_REQUIRE(answers.take_result(row));
  BOOST_TEST(row.text == "");
}

BOOST_AUTO_TEST_CASE(the_result_of_the_index_is_reported_with_the_servers_words) {
  send_multi(1);
  reply({ok, queued, queued});
  BOOST_TEST(outcome.index_refusal == "");
  reply(array({one, wrongtype}));
  BOOST_TEST(outcome.fits);
  BOOST_TEST(outcome.index_refusal == "WRONGTYPE Operation against a key");
  check_result(1);
  send_plain(1, 1);
  reply(one);
  BOOST_TEST(outcome.index_refusal == "");
  reply(one);
  BOOST_TEST(outcome.index_refusal == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_CASE(a_wrongtype_before_exec_is_no_removal, Fixture) {
  erase();
  answers.on_batch_sent({true, 1, 1}, sent);
  reply({ok, wrongtype, queued, aborted});
  check_result(1, redis::Errc::wrongtype);
}
