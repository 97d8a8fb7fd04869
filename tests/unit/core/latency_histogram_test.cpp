// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE latency_histogram
#include "core/latency_histogram.hpp"

#include <boost/test/unit_test.hpp>

using portsync::core::LatencyHistogram;
using std::chrono::microseconds;

BOOST_AUTO_TEST_CASE(an_empty_histogram_says_zero) {
  const LatencyHistogram histogram;
  BOOST_TEST(histogram.quantile_us(0.99) == 0U);
  BOOST_TEST(histogram.max_us() == 0U);
}

BOOST_AUTO_TEST_CASE(a_quantile_is_at_most_an_eighth_too_high_and_never_too_low) {
  for (std::uint64_t us : {0U, 1U, 7U, 8U, 9U, 63U, 64U, 100U, 1000U, 65'535U, 1'000'000U, 4'294'967'295U}) {
    LatencyHistogram histogram;
    histogram.add(microseconds(static_cast<std::int64_t>(us)));
    histogram.add(microseconds(5'000'000'000));  // otherwise the maximum hides the bucket's bound
    BOOST_TEST(histogram.quantile_us(0.5) >= us);
    BOOST_TEST(histogram.quantile_us(0.5) <= us + us / 8);
  }
}

BOOST_AUTO_TEST_CASE(quantiles_of_many) {
  LatencyHistogram histogram;
  for (int us = 1; us <= 1000; ++us) histogram.add(microseconds(us));
  BOOST_TEST(histogram.count() == 1000U);
  BOOST_TEST(histogram.quantile_us(0.0) == 1U);
  BOOST_TEST(histogram.quantile_us(0.5) >= 500U);
  BOOST_TEST(histogram.quantile_us(0.5) <= 563U);
  BOOST_TEST(histogram.quantile_us(0.99) >= 990U);
  BOOST_TEST(histogram.quantile_us(1.0) == 1000U);
}

BOOST_AUTO_TEST_CASE(out_of_range_values_are_counted_at_the_ends) {
  LatencyHistogram histogram;
  histogram.add(microseconds(-5));
  BOOST_TEST(histogram.quantile_us(1.0) == 0U);
  histogram.add(microseconds(INT64_MAX));
  BOOST_TEST(histogram.count() == 2U);
  BOOST_TEST(histogram.max_us() == static_cast<std::uint64_t>(INT64_MAX));
}
