// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE answer_clock
#include "redis/answer_clock.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsync;
using namespace portsync::redis;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds timeout = 2s;
const TimePoint sent{1h};

}  // namespace

BOOST_AUTO_TEST_CASE(without_a_byte_the_request_times_out) {
  const AnswerClock clock;
  BOOST_CHECK(clock.deadline(sent, timeout) == sent + 2s);
}

BOOST_AUTO_TEST_CASE(each_complete_reply_restarts_the_limit_of_the_next) {
  AnswerClock clock;
  clock.on_reply(sent + 1s);
  BOOST_CHECK(clock.deadline(sent, timeout) == sent + 3s);
  BOOST_CHECK(clock.deadline(sent + 5s, timeout) == sent + 7s);  // a request sent later
}

BOOST_AUTO_TEST_CASE(a_slow_but_steady_link_has_the_time_that_it_needs) {
  AnswerClock clock;
  TimePoint now = sent;
  for (std::size_t bytes = 1024; bytes <= 100 * 1024; bytes += 1024) {
    now += 1900ms;
    BOOST_REQUIRE((now < clock.deadline(sent, timeout)));
    clock.on_bytes(bytes, now);
  }
  BOOST_CHECK(clock.deadline(sent, timeout) == now + 2s);
}

BOOST_AUTO_TEST_CASE(a_large_reply_that_stalls_is_given_up_after_the_timeout) {
  AnswerClock clock;
  clock.on_bytes(std::size_t{7} << 20U, sent + 1s);  // at one KiB per second it would have got two hours
  BOOST_CHECK(clock.deadline(sent, timeout) == sent + 3s);
}

BOOST_AUTO_TEST_CASE(a_trickle_of_bytes_is_no_progress) {
  AnswerClock clock;
  for (std::size_t bytes = 1; bytes < 1024; ++bytes) clock.on_bytes(bytes, sent + std::chrono::milliseconds(bytes));
  BOOST_CHECK(clock.deadline(sent, timeout) == sent + 2s);
}

BOOST_AUTO_TEST_CASE(the_next_reply_counts_from_its_own_first_byte) {
  AnswerClock clock;
  clock.on_bytes(5000, sent + 1s);
  clock.on_reply(sent + 2s);
  clock.on_bytes(100, sent + 3s);  // of the next reply
  BOOST_CHECK(clock.deadline(sent, timeout) == sent + 4s);
  clock.on_bytes(1100, sent + 3500ms);
  BOOST_CHECK(clock.deadline(sent, timeout) == sent + 5500ms);
  clock.on_reply(sent + 4s);
  clock.on_bytes(1100, sent + 5s);
  BOOST_CHECK(clock.deadline(sent, timeout) == sent + 7s);
}
