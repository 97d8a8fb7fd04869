// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE token_bucket
#include "base/token_bucket.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>

using portsyncd::TokenBucket;
using namespace std::chrono_literals;

namespace {

const TokenBucket::TimePoint start{1h};

// Takes tokens until there are none. Returns their number.
int take_all(TokenBucket& bucket, TokenBucket::TimePoint now) {
  int taken = 0;
  while (bucket.take(now)) ++taken;
  return taken;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_burst_goes_through_at_once_and_no_more) {
  TokenBucket bucket(50, 200);
  BOOST_TEST(take_all(bucket, start) == 200);
  BOOST_TEST(take_all(bucket, start + 19ms) == 0);
  BOOST_TEST(take_all(bucket, start + 21ms) == 1);
}

BOOST_AUTO_TEST_CASE(in_the_long_run_the_rate_goes_through) {
  TokenBucket bucket(50, 200);
  (void)take_all(bucket, start);
  int taken = 0;
  for (int millisecond = 0; millisecond <= 10'000; ++millisecond) {
    taken += take_all(bucket, start + std::chrono::milliseconds(millisecond));
  }
  BOOST_TEST(taken >= 499);
  BOOST_TEST(taken <= 500);
}

BOOST_AUTO_TEST_CASE(quiet_saves_no_more_than_a_burst) {
  TokenBucket bucket(50, 200);
  (void)take_all(bucket, start);
  BOOST_TEST(take_all(bucket, start + 1h) == 200);
}

BOOST_AUTO_TEST_CASE(a_time_before_the_latest_gives_nothing) {
  TokenBucket bucket(50, 2);
  (void)take_all(bucket, start);
  BOOST_TEST(!bucket.take(start - 1h));
  BOOST_TEST(!bucket.take(start + 10ms));
  BOOST_TEST(bucket.take(start + 21ms));
}
