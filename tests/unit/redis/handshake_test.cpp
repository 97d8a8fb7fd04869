// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_handshake
#include "redis/handshake.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "support/cpp/resp_text.hpp"

using namespace portsync::redis;
using namespace portsync::test;
using State = Handshake::State;
using Lines = std::vector<std::string>;

namespace {

const std::string info = bulk("# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\ntcp_port:0\r\n");

struct Fixture {
  ConnectionOptions options;
  std::vector<ClientIdentity> lost;
  CommandBuffer out;
  Handshake handshake;

  Lines start() {
    out.clear();
    handshake.start(options, lost, out);
    Lines sent = lines(out);
    out.clear();
    return sent;
  }
  State answer(const std::string& text) { return handshake.on_reply(Answer(text), out); }
  // Handles the replies up to INFO's.
  State answer_all(const std::string& client_id = ":5\r\n", const std::string& info_answer = info) {
    BOOST_CHECK(answer(ok) == State::running);
    BOOST_CHECK(answer(ok) == State::running);
    BOOST_CHECK(answer(client_id) == State::running);
    return answer(info_answer);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(handshake, Fixture)

BOOST_AUTO_TEST_CASE(asks_everything_in_one_go) {
  options.database = 6;
  BOOST_TEST(start() == (Lines{"SELECT 6", "CLIENT SETNAME portsyncd", "CLIENT ID", "INFO server"}),
             boost::test_tools::per_element());
  BOOST_CHECK(answer_all() == State::done);
  BOOST_TEST(handshake.identity().client_id == "5");
  BOOST_TEST(handshake.identity().run_id == "abc");
  BOOST_TEST(out.commands() == 0U);
}

BOOST_AUTO_TEST_CASE(authenticates_first) {
  options.password = "secret";
  BOOST_TEST(start().front() == "AUTH secret");
  options.username = "user";
  BOOST_TEST(start().front() == "AUTH user secret");
  options.password.clear();
  BOOST_TEST(start().front() == "AUTH user ");
}

BOOST_AUTO_TEST_CASE(no_name_is_not_set) {
  options.client_name.clear();
  BOOST_TEST(start() == (Lines{"SELECT 0", "CLIENT ID", "INFO server"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_refused_auth_fails_without_the_servers_words) {
  options.password = "secret";
  for (const auto& [text, code] : std::vector<std::pair<std::string, Errc>>{
           {"-WRONGPASS invalid username-password pair or user is disabled.\r\n", Errc::wrongpass},
           {"-ERR AUTH <password> called without any password configured\r\n", Errc::wrongpass},
           {"-ERR unknown command 'AUTH', with args beginning with: 'secret'\r\n", Errc::wrongpass},
           {"-ERR invalid password\r\n", Errc::wrongpass},
           {"-LOADING Redis is loading the dataset in memory secret\r\n", Errc::loading},
           {"-ERR max number of clients reached\r\n", Errc::max_clients}}) {
    (void)start();
    BOOST_CHECK(answer(text) == State::failed);
    BOOST_CHECK(handshake.error() == code);
    BOOST_TEST(handshake.error_text().find("secret") == std::string::npos);
    BOOST_TEST(handshake.error_text().find("configured") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_refused_select_fails) {
  (void)start();
  BOOST_CHECK(answer("-ERR DB index is out of range\r\n") == State::failed);
  BOOST_CHECK(handshake.error() == Errc::other);
  BOOST_TEST(handshake.error_text() == "SELECT 0: ERR DB index is out of range");
  (void)start();
  BOOST_CHECK(answer("-NOAUTH Authentication required.\r\n") == State::failed);
  BOOST_CHECK(handshake.error() == Errc::noauth);
  (void)start();
  BOOST_CHECK(answer("-NOPERM this user has no permissions to run the 'select' command\r\n") == State::failed);
  BOOST_CHECK(handshake.error() == Errc::noperm);
}

BOOST_AUTO_TEST_CASE(name_id_and_info_may_be_refused) {
  lost = {{"abc", "3"}};
  (void)start();
  BOOST_CHECK(answer(ok) == State::running);
  BOOST_CHECK(answer("-NOPERM this user has no permissions to run the 'client|setname' command\r\n") == State::running);
  BOOST_CHECK(answer("-ERR Unknown subcommand or wrong number of arguments for 'ID'\r\n") == State::running);
  BOOST_CHECK(answer("-ERR unknown command 'INFO'\r\n") == State::done);
  BOOST_TEST(!handshake.identity().known());
  BOOST_TEST(out.commands() == 0U);
}

// The client to kill is then unknown. That must be reported, because its late writes may follow newer ones.
BOOST_AUTO_TEST_CASE(a_lost_connection_that_cannot_be_named_is_said_with_what_was_refused) {
  lost = {{"", "3"}};
  (void)start();
  BOOST_CHECK(answer(ok) == State::running);
  BOOST_CHECK(answer(ok) == State::running);
  BOOST_CHECK(answer(":5\r\n") == State::running);
  BOOST_CHECK(answer("-NOPERM this user has no permissions to run the 'info' command\r\n") == State::done);
  BOOST_TEST(handshake.kill_refusal() == "INFO: NOPERM this user has no permissions to run the 'info' command");
  lost.clear();
  (void)start();
  for (const std::string& text : {ok, ok, std::string("-NOPERM this user may not\r\n")}) (void)answer(text);
  BOOST_CHECK(answer(info) == State::done);
  BOOST_TEST(handshake.kill_refusal() == "");  // no connection was lost
  lost = {{"abc", "3"}};
  (void)start();
  for (const std::string& text : {ok, ok, std::string("-NOPERM this user may not\r\n")}) (void)answer(text);
  BOOST_CHECK(answer(info) == State::done);
  BOOST_TEST(handshake.kill_refusal() == "CLIENT ID: NOPERM this user may not");
}

BOOST_AUTO_TEST_CASE(each_connection_that_was_lost_to_this_server_is_killed) {
  lost = {{"other", "1"}, {"abc", "3"}, {"other", "2"}, {"abc", "4"}};
  (void)start();
  BOOST_CHECK(answer_all() == State::running);
  BOOST_TEST(lines(out) == (Lines{"CLIENT KILL ID 3", "CLIENT KILL ID 4"}), boost::test_tools::per_element());
  BOOST_CHECK(answer(":1\r\n") == State::running);
  BOOST_CHECK(answer(":0\r\n") == State::done);
  BOOST_TEST(handshake.kill_refusal() == "");
}

BOOST_AUTO_TEST_CASE(a_lost_connection_to_the_same_server_is_killed_before_the_new_one_is_open) {
  lost = {{"abc", "3"}};
  (void)start();
  BOOST_CHECK(answer_all() == State::running);
  BOOST_TEST(lines(out) == Lines{"CLIENT KILL ID 3"}, boost::test_tools::per_element());
  BOOST_CHECK(answer(":1\r\n") == State::done);
}

BOOST_AUTO_TEST_CASE(a_lost_connection_that_is_gone_already_is_fine) {
  lost = {{"abc", "3"}};
  (void)start();
  BOOST_CHECK(answer_all() == State::running);
  BOOST_CHECK(answer(":0\r\n") == State::done);
}

BOOST_AUTO_TEST_CASE(a_refused_kill_is_tolerated) {
  lost = {{"abc", "3"}};
  (void)start();
  BOOST_CHECK(answer_all() == State::running);
  BOOST_CHECK(answer("-NOPERM this user has no permissions to run the 'client|kill' command\r\n") == State::done);
  BOOST_TEST(handshake.kill_refusal() ==
             "CLIENT KILL: NOPERM this user has no permissions to run the 'client|kill' command");
}

// Otherwise late writes of the lost connection could follow ours, only because a script was running at that time.
BOOST_AUTO_TEST_CASE(a_kill_that_could_be_done_later_is_not_given_up) {
  lost = {{"abc", "3"}};
  (void)start();
  BOOST_CHECK(answer_all() == State::running);
  BOOST_CHECK(answer("-BUSY Redis is busy running a script.\r\n") == State::failed);
  BOOST_CHECK(handshake.error() == Errc::busy);
}

// A restarted server counts ids anew, so that the same id may belong to an unrelated client.
BOOST_AUTO_TEST_CASE(after_a_restart_of_the_server_no_client_is_killed) {
  lost = {{"other", "3"}};
  (void)start();
  BOOST_CHECK(answer_all() == State::done);
  BOOST_TEST(out.commands() == 0U);
}

BOOST_AUTO_TEST_CASE(without_a_run_id_no_client_is_killed) {
  lost = {{"", "3"}};
  (void)start();
  BOOST_CHECK(answer_all(":5\r\n", bulk("# Server\r\n")) == State::done);
  lost = {{"abc", "3"}};
  (void)start();
  BOOST_CHECK(answer_all(":5\r\n", bulk("")) == State::done);
  BOOST_TEST(out.commands() == 0U);
}

BOOST_AUTO_TEST_CASE(we_do_not_kill_ourselves) {
  lost = {{"abc", "5"}};
  (void)start();
  BOOST_CHECK(answer_all() == State::done);
}

BOOST_AUTO_TEST_CASE(answers_of_a_wrong_type_fail) {
  for (std::size_t wrong = 0; wrong < 4; ++wrong) {
    (void)start();
    std::vector<std::string> answers{ok, ok, ":5\r\n", info};
    answers[wrong] = "*0\r\n";
    auto state = State::running;
    for (std::size_t i = 0; i <= wrong; ++i) state = answer(answers[i]);
    BOOST_TEST_INFO(wrong);
    BOOST_CHECK(state == State::failed);
    BOOST_CHECK(handshake.error() == Errc::protocol);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(lines_of_info_are_found) {
  BOOST_TEST(info_value("a:1\r\nrun_id:xyz\r\n", "run_id") == "xyz");
  BOOST_TEST(info_value("run_id:xyz", "run_id") == "xyz");
  BOOST_TEST(info_value("xrun_id:1\r\nrun_idx:2\r\n", "run_id") == "");
  BOOST_TEST(info_value("", "run_id") == "");
  BOOST_TEST(info_value("run_id:\r\n", "run_id") == "");
}
