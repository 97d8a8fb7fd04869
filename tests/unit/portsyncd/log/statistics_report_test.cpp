// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE statistics_report
#include "log/statistics_report.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsyncd;
using namespace std::chrono_literals;

namespace {

constexpr portsync::TimePoint start{1000s};

}  // namespace

BOOST_AUTO_TEST_CASE(the_line_has_every_key_of_the_contract_in_order) {
  Statistics now;
  now.sync.events = 90;
  now.sync.writes = 2;
  now.source.overruns = 3;
  now.source.receive_buffer_bytes = 425984;
  now.sink.commands = 4;
  now.slow_rows = 5;
  const StatisticsReport report(start);
  BOOST_TEST(
      report.line(now, start + 60s) ==
      "statistics events=90 writes=2 erases=0 failures=0 unchanged=0 eps=1.5 latency_us_p50=0 latency_us_p95=0 "
      "latency_us_p99=0 latency_us_max=0 pending=0 ports=0 batches=0 queue_collapses=0 snapshots=0 resyncs=0 "
      "overruns=3 truncated=0 interrupted=0 foreign=0 probe_failures=0 audits=0 drift_repaired=0 redis_commands=4 "
      "redis_opens=0 redis_timeouts=0 refused=0 receive_buffer_bytes=425984 backlog_bytes=0 slow_rows=5");
}

BOOST_AUTO_TEST_CASE(events_a_second_are_those_of_the_period) {
  StatisticsReport report(start);
  Statistics now;
  now.sync.events = 600;
  BOOST_TEST(report.line(now, start + 60s).find(" eps=10.0 ") != std::string::npos);
  report.end_period(now, start + 60s);
  BOOST_TEST(report.line(now, start + 120s).find(" eps=0.0 ") != std::string::npos);
  now.sync.events = 601;
  BOOST_TEST(report.line(now, start + 61s).find(" eps=1.0 ") != std::string::npos);
  BOOST_TEST(report.line(now, start + 60s).find(" eps=1000.0 ") != std::string::npos);  // no time has passed
}
