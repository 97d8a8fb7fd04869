// SPDX-License-Identifier: Apache-2.0
// Tests the timer. unit/core/health_test.cpp and health_state_test.cpp test the rules.
#define BOOST_TEST_MODULE health_monitor
#include <boost/test/unit_test.hpp>
#include <portsync/health_monitor.hpp>
#include <string>
#include <vector>

#include "support/cpp/wait.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

namespace {

using Heard = std::vector<std::string>;

struct Fixture {
  Fixture() {
    monitor->set_listener([this](const Health& before, const Health& now) {
      BOOST_TEST((monitor->overall() == now));
      heard.push_back(to_string(before) + " > " + to_string(now));
    });
    report.first_snapshot = true;
    report.sinks.emplace_back();
    report.sinks[0].name = "store";
    report.sinks[0].open = true;
  }

  static HealthOptions options() {
    HealthOptions options;
    options.max_stall = 30ms;
    options.settle_time = 20ms;
    return options;
  }
  void row_waits() {
    report.sinks[0].pending = 1;
    report.sinks[0].pending_since = Clock::now();
    report.sinks[0].pending_port = "Ethernet0";
    monitor->report(report);
  }
  void row_is_written() {
    report.sinks[0].pending_since.reset();
    monitor->report(report);
  }

  std::unique_ptr<HealthMonitor> monitor = make_health_monitor(options());
  HealthReport report;
  Heard heard;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_report_that_grows_old_changes_the_verdict_unasked, Fixture) {
  BOOST_TEST(to_string(monitor->overall()) == "Degraded: starting");
  row_waits();
  BOOST_TEST(heard == Heard{"Degraded: starting > Healthy"});
  process_until(*monitor, [this] { return heard.size() == 2; });
  BOOST_TEST(heard[1] == "Healthy > Unhealthy: Ethernet0 not written to store");
  BOOST_TEST(!readable(*monitor));
}

BOOST_FIXTURE_TEST_CASE(a_better_verdict_is_reported_unasked_when_it_has_lasted, Fixture) {
  row_waits();
  process_until(*monitor, [this] { return heard.size() == 2; });
  row_is_written();
  BOOST_TEST(heard.size() == 2U);
  process_until(*monitor, [this] { return heard.size() == 3; });
  BOOST_TEST(heard[2] == "Unhealthy: Ethernet0 not written to store > Healthy");
  BOOST_TEST(!readable(*monitor));
}

BOOST_FIXTURE_TEST_CASE(other_options_are_judged_by_at_once, Fixture) {
  row_waits();
  HealthOptions none = options();
  none.max_stall = 0ms;
  monitor->set_options(none);
  BOOST_TEST(heard.back() == "Healthy > Unhealthy: Ethernet0 not written to store");
}

BOOST_FIXTURE_TEST_CASE(nothing_is_judged_before_the_first_report, Fixture) {
  monitor->set_options(options());
  BOOST_TEST(!monitor->process());
  BOOST_TEST(to_string(monitor->overall()) == "Degraded: starting");
  BOOST_TEST(monitor->history().empty());
}

BOOST_FIXTURE_TEST_CASE(history_has_both_clocks, Fixture) {
  const auto before = std::chrono::system_clock::now();
  row_is_written();
  const std::vector<HealthTransition> history = monitor->history();
  BOOST_REQUIRE(history.size() == 1U);
  BOOST_TEST(to_string(history[0].before) == "Degraded: starting");
  BOOST_TEST(to_string(history[0].now) == "Healthy");
  BOOST_TEST((history[0].time >= before && history[0].time <= std::chrono::system_clock::now()));
  BOOST_TEST((history[0].when <= Clock::now()));
}
