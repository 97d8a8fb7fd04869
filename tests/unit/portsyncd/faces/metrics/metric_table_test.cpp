// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE metric_table
#include "faces/metrics/metric_table.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>
#include <string>
#include <string_view>

using namespace portsyncd;

namespace {

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

const CounterMetric& counter(std::string_view name) {
  const auto all = counter_metrics();
  return *std::find_if(all.begin(), all.end(), [&](const auto& metric) { return metric.name == name; });
}

const GaugeMetric& gauge(std::string_view name) {
  const auto all = gauge_metrics();
  return *std::find_if(all.begin(), all.end(), [&](const auto& metric) { return metric.name == name; });
}

}  // namespace

BOOST_AUTO_TEST_CASE(names_are_ours_and_distinct_and_counters_are_totals) {
  std::set<std::string> names;
  for (const CounterMetric& metric : counter_metrics()) {
    BOOST_TEST(ends_with(metric.name, "_total"), metric.name);
    names.insert(metric.name);
  }
  for (const GaugeMetric& metric : gauge_metrics()) {
    BOOST_TEST(!ends_with(metric.name, "_total"), metric.name);
    names.insert(metric.name);
  }
  BOOST_TEST(names.size() == counter_metrics().size() + gauge_metrics().size());
  for (const std::string& name : names) BOOST_TEST(name.rfind("portsyncd_", 0) == 0U, name);
}

BOOST_AUTO_TEST_CASE(reconnects_are_the_opens_after_the_first) {
  const CounterMetric& reconnects = counter("portsyncd_redis_reconnects_total");
  MetricReading reading;
  for (const std::uint64_t opens : {0U, 1U}) {
    reading.statistics.sink.opens = opens;
    BOOST_TEST(reconnects.value(reading) == 0U);
  }
  reading.statistics.sink.opens = 3;
  BOOST_TEST(reconnects.value(reading) == 2U);
}

BOOST_AUTO_TEST_CASE(states_are_numbers) {
  MetricReading reading;
  BOOST_TEST(gauge("portsyncd_netlink_connected").value(reading) == 1.0);
  reading.statistics.source.deaf_since = portsync::TimePoint();
  BOOST_TEST(gauge("portsyncd_netlink_connected").value(reading) == 0.0);
  BOOST_TEST(gauge("portsyncd_redis_connected").value(reading) == 0.0);
  reading.statistics.sink.open = true;
  BOOST_TEST(gauge("portsyncd_redis_connected").value(reading) == 1.0);
  for (const auto& [verdict, number] :
       {std::pair(portsync::Verdict::healthy, 0.0), std::pair(portsync::Verdict::degraded, 1.0),
        std::pair(portsync::Verdict::unhealthy, 2.0)}) {
    reading.verdict = verdict;
    BOOST_TEST(gauge("portsyncd_health").value(reading) == number);
  }
  reading.statistics.sink.round_trip = std::chrono::microseconds(250);
  BOOST_TEST(gauge("portsyncd_redis_round_trip_seconds").value(reading) == 250e-6);
}

BOOST_AUTO_TEST_CASE(a_state_that_ended_since_the_last_reading_is_shown) {
  MetricReading reading;
  reading.statistics.sink.open = true;
  reading.store_was_closed = true;
  BOOST_TEST(gauge("portsyncd_redis_connected").value(reading) == 0.0);
  reading.was_deaf = true;
  BOOST_TEST(gauge("portsyncd_netlink_connected").value(reading) == 0.0);
}

BOOST_AUTO_TEST_CASE(the_histogram_goes_from_25_us_to_1_s) {
  const auto buckets = latency_buckets();
  BOOST_TEST(std::is_sorted(buckets.begin(), buckets.end()));
  BOOST_TEST(buckets.front() == 25e-6);
  BOOST_TEST(buckets.back() == 1.0);
}
