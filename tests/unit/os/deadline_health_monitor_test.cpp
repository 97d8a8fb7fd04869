// SPDX-License-Identifier: Apache-2.0
// The rules are tested in unit/core/health_test.cpp; this is the timer.
#define BOOST_TEST_MODULE deadline_health_monitor
#include <boost/test/unit_test.hpp>
#include <portsync/health_monitor.hpp>
#include <string>
#include <vector>

#include "support/cpp/wait.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(a_report_that_grows_old_changes_the_verdict_unasked) {
  const auto monitor = make_deadline_health_monitor({30ms});
  std::vector<std::string> heard;
  monitor->set_listener([&heard](const Health& before, const Health& now) {
    heard.push_back(to_string(before) + " > " + to_string(now));
  });
  BOOST_TEST(to_string(monitor->overall()) == "Degraded: starting");
  HealthReport report;
  report.first_snapshot = true;
  report.sinks.push_back({"store", true, "", 1, Clock::now(), "Ethernet0", {}, ""});
  monitor->report(report);
  BOOST_TEST(to_string(monitor->overall()) == "Healthy");
  process_until(*monitor, [&heard] { return heard.size() == 2; });
  BOOST_TEST(heard[0] == "Degraded: starting > Healthy");
  BOOST_TEST(heard[1] == "Healthy > Unhealthy: Ethernet0 not written to store");
  BOOST_TEST(!readable(*monitor));
  report.sinks[0].pending_since.reset();
  monitor->report(report);
  monitor->report(report);
  BOOST_TEST(heard.size() == 3U);
}
