// SPDX-License-Identifier: Apache-2.0
// The Redis sink and its connection against a server that sends nothing, stops in the middle, or hangs up.
#define BOOST_TEST_MODULE redis_silence
#include <boost/test/unit_test.hpp>
#include <portsync/redis/state_sink.hpp>

#include "support/cpp/hostile_fixture.hpp"
#include "support/cpp/own_process.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

BOOST_FIXTURE_TEST_SUITE(silence, HostileFixture)

BOOST_AUTO_TEST_CASE(a_server_that_accepts_and_never_answers) {
  server.deaf = true;
  begin();
  check_given_up_for(redis::Errc::timeout, 2);
  BOOST_TEST(harness->observer.opens == 1);
  BOOST_TEST(harness->sink->statistics().timeouts >= 2U);
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_accept) {
  server.accepting = false;
  begin();
  BOOST_REQUIRE(harness->run_until_closed(2));
  BOOST_TEST(harness->observer.closed[0] == make_error_code(redis::Errc::timeout));
  server.accepting = true;
  BOOST_TEST(harness->run_until_open());
}

BOOST_AUTO_TEST_CASE(a_server_that_stops_in_the_middle_of_the_handshake) {
  answer("INFO", "");
  begin();
  check_given_up_for(redis::Errc::timeout);
}

BOOST_AUTO_TEST_CASE(a_server_that_stops_in_the_middle_of_an_answer) {
  open();
  answer("EXEC", "*2\r\n:1\r\n");
  put();
  BOOST_TEST(!harness->sink->flush());
  check_given_up_for(redis::Errc::timeout);
}

BOOST_AUTO_TEST_CASE(too_few_answers_are_a_timeout) {
  open();
  answer("EXEC", "");
  put();
  BOOST_TEST(!harness->sink->flush());
  check_given_up_for(redis::Errc::timeout);
}

// The oldest command decides, however much the server replies to others.
BOOST_AUTO_TEST_CASE(a_read_that_never_ends_its_answer_is_a_timeout) {
  open();
  answer("SCAN", "");
  BOOST_TEST(!harness->sink->read_back(Scope::all, {}));
  check_given_up_for(redis::Errc::timeout);
  BOOST_TEST(harness->observer.read_backs == 0);  // on_closed() ends it
  BOOST_TEST(harness->read_back());
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_read_cannot_make_us_block) {
  open();
  server.deaf = true;
  const auto since = std::chrono::steady_clock::now();
  for (int i = 0; i < 512; ++i) put("Ethernet" + std::to_string(i) + std::string(4000, 'x'));
  BOOST_TEST(!harness->sink->flush());
  BOOST_TEST((std::chrono::steady_clock::now() - since < 1s));
  check_given_up_for(redis::Errc::timeout);
}

BOOST_AUTO_TEST_CASE(a_server_that_reads_late_gets_everything_in_order) {
  options.connection.timeout = 3s;
  open();
  server.deaf = true;
  for (int i = 0; i < 512; ++i) put("Ethernet" + std::to_string(i) + std::string(4000, 'x'));
  BOOST_TEST(!harness->sink->flush());
  harness->run_for(50ms);
  BOOST_TEST(harness->wakeups < 40U);  // waiting for room to write does not spin
  server.deaf = false;
  BOOST_REQUIRE(harness->run_until_results(512));
  BOOST_TEST(harness->observer.closes == 0);
  for (std::size_t i = 0; i < 512; ++i) BOOST_TEST(harness->observer.results[i].revision == i + 1);
  const auto before = harness->wakeups;
  harness->run_for(100ms);
  BOOST_TEST(harness->wakeups - before <= 2U);  // nor does having nothing to write
}

BOOST_AUTO_TEST_CASE(a_half_closed_socket) {
  open();
  put();
  BOOST_TEST(!harness->sink->flush());
  server.half_close();
  check_given_up_for(redis::Errc::end_of_file);
}

BOOST_AUTO_TEST_CASE(answers_before_the_end_of_file_count) {
  open();
  put();
  BOOST_TEST(!harness->sink->flush());
  server.step();
  server.half_close();
  BOOST_REQUIRE(harness->run_until_closed());
  BOOST_TEST(harness->observer.results.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_server_that_closes_what_it_accepts) {
  server.hanging_up = true;
  begin();
  BOOST_REQUIRE(harness->run_until_closed(3));
  BOOST_TEST(harness->observer.opens == 0);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(resources, HostileFixture)

BOOST_AUTO_TEST_CASE(two_hundred_reconnects_leak_no_descriptor) {
  options.connection.retry_interval = 1ms;
  open();
  server.close();
  BOOST_REQUIRE(harness->run_until_open(2));
  const auto before = open_descriptors();
  const int fd = harness->sink->fd();
  for (int i = 3; i < 203; ++i) {
    put();
    BOOST_TEST(!harness->sink->flush());
    server.close();
    BOOST_REQUIRE(harness->run_until_open(i));
  }
  BOOST_TEST(open_descriptors() == before);
  BOOST_TEST(harness->sink->fd() == fd);
  BOOST_TEST(harness->sink->statistics().opens == 202U);
}

BOOST_AUTO_TEST_CASE(retries_have_their_pause) {
  options.connection.retry_interval = 50ms;
  server.accepting = true;
  answer("SELECT", "-ERR no\r\n");
  begin();
  harness->run_for(500ms);
  BOOST_TEST(harness->observer.closes >= 6);
  BOOST_TEST(harness->observer.closes <= 12);
}

BOOST_AUTO_TEST_SUITE_END()
