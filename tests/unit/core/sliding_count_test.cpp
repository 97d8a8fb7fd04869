// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE sliding_count
#include "core/sliding_count.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsync;
using namespace std::chrono_literals;

namespace {

const TimePoint start{1h};  // the beginning of a bucket

}  // namespace

BOOST_AUTO_TEST_CASE(nothing_was_added) {
  const core::SlidingCount<12> count(5s);
  BOOST_TEST(count.sum(start) == 0U);
}

BOOST_AUTO_TEST_CASE(what_was_added_counts_until_its_bucket_leaves_the_window) {
  core::SlidingCount<12> count(5s);
  count.add(start, 2);
  count.add(start + 4999ms, 1);
  BOOST_TEST(count.sum(start + 5s) == 3U);
  BOOST_TEST(count.sum(start + 59'999ms) == 3U);
  BOOST_TEST(count.sum(start + 60s) == 0U);
}

BOOST_AUTO_TEST_CASE(buckets_leave_one_by_one) {
  core::SlidingCount<12> count(5s);
  for (int bucket = 0; bucket < 12; ++bucket) count.add(start + bucket * 5s, 1);
  BOOST_TEST(count.sum(start + 59s) == 12U);
  BOOST_TEST(count.sum(start + 60s) == 11U);
  BOOST_TEST(count.sum(start + 114s) == 1U);
  BOOST_TEST(count.sum(start + 115s) == 0U);
}

BOOST_AUTO_TEST_CASE(a_bucket_is_used_again_from_nothing) {
  core::SlidingCount<12> count(5s);
  count.add(start, 7);
  count.add(start + 60s, 1);  // the same bucket
  BOOST_TEST(count.sum(start + 60s) == 1U);
  count.add(start + 24h, 2);
  BOOST_TEST(count.sum(start + 24h) == 2U);
}
