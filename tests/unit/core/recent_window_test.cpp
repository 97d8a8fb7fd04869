// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE recent_window
#include "core/recent_window.hpp"

#include <boost/test/unit_test.hpp>

#include "core/latency_histogram.hpp"

using namespace portsync;
using namespace std::chrono_literals;

namespace {

const TimePoint start{1h};  // the beginning of a bucket

struct Fixture {
  core::RecentWindow<int> window;

  [[nodiscard]] int sum(TimePoint now) const {
    int total = 0;
    window.visit(now, [&total](int count) { total += count; });
    return total;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_empty_window_has_nothing_and_no_end, Fixture) {
  BOOST_TEST(sum(TimePoint{0s}) == 0);
  BOOST_TEST((!window.next_end(TimePoint{0s})));
  BOOST_TEST(sum(start) == 0);
  BOOST_TEST((!window.next_end(start)));
}

BOOST_FIXTURE_TEST_CASE(what_was_counted_leaves_a_minute_after_its_bucket_began, Fixture) {
  window.at(start) += 1;
  window.at(start + 5s - 1ns) += 10;
  BOOST_TEST(sum(start) == 11);
  BOOST_TEST((window.next_end(start) == start + 60s));
  BOOST_TEST(sum(start + 60s - 1ns) == 11);
  BOOST_TEST(sum(start + 60s) == 0);
  BOOST_TEST((!window.next_end(start + 60s)));
}

BOOST_FIXTURE_TEST_CASE(each_bucket_leaves_by_itself_and_the_oldest_first, Fixture) {
  for (int i = 0; i < 12; ++i) window.at(start + i * 5s) += 1;
  BOOST_TEST(sum(start + 55s) == 12);
  for (int i = 0; i < 12; ++i) {
    const TimePoint end = start + 60s + i * 5s;
    BOOST_TEST((window.next_end(end - 1ns) == end));
    BOOST_TEST(sum(end - 1ns) == 12 - i);
    BOOST_TEST(sum(end) == 11 - i);
  }
}

BOOST_FIXTURE_TEST_CASE(a_bucket_used_again_begins_at_nothing, Fixture) {
  window.at(start) += 5;
  window.at(start + 60s) += 1;
  BOOST_TEST(sum(start + 60s) == 1);
  window.at(start + 24h) += 2;
  BOOST_TEST(sum(start + 24h) == 2);
}

BOOST_AUTO_TEST_CASE(latencies_of_several_buckets_are_one_histogram) {
  core::RecentWindow<core::LatencyHistogram> window;
  for (int i = 0; i < 99; ++i) window.at(start).add(100us);
  for (int i = 0; i < 99; ++i) window.at(start + 5s).add(8ms);
  const auto all = [&window](TimePoint now) {
    core::LatencyHistogram sum;
    window.visit(now, [&sum](const core::LatencyHistogram& bucket) { sum.add(bucket); });
    return sum;
  };
  BOOST_TEST(all(start + 5s).count() == 198U);
  BOOST_TEST(all(start + 5s).max_us() == 8000U);
  BOOST_TEST(all(start + 5s).quantile_us(0.4) < 120U);
  BOOST_TEST(all(start + 5s).quantile_us(0.99) == 8000U);
  BOOST_TEST(all(start + 60s).count() == 99U);
  BOOST_TEST(all(start + 65s).count() == 0U);
}
