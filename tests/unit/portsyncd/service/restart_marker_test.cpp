// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE restart_marker
#include "service/restart_marker.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsyncd;
using namespace std::chrono_literals;

namespace {

std::string end_of(const Traces& traces) {
  return previous_end(traces).value_or("nothing");
}

}  // namespace

BOOST_AUTO_TEST_CASE(without_traces_there_was_no_instance_before) {
  BOOST_TEST(end_of({}) == "nothing");
}

BOOST_AUTO_TEST_CASE(without_systemd_clean_or_not_is_all_that_is_known) {
  BOOST_TEST(end_of({"stopped\n", "", 5s}) == "clean stop");
  BOOST_TEST(end_of({"running\n", "", 5s}) == "crash");
}

BOOST_AUTO_TEST_CASE(what_systemd_saw_goes_over_what_the_daemon_thought) {
  BOOST_TEST(end_of({"running\n", "success killed TERM\n", 0s}) == "clean stop");
  BOOST_TEST(end_of({"stopped\n", "timeout killed KILL\n", 0s}) == "crash (timeout killed KILL)");
  BOOST_TEST(end_of({"", "exit-code exited 1\n", 0s}) == "crash (exit-code exited 1)");
}

BOOST_AUTO_TEST_CASE(an_end_that_the_daemon_has_explained_is_no_crash) {
  BOOST_TEST(end_of({"", "exit-code exited 78\n", 0s}) == "bad configuration (exit status 78)");
  BOOST_TEST(end_of({"stopped\n", "exit-code exited 78\n", 0s}) == "bad configuration (exit status 78)");
  BOOST_TEST(end_of({"running\n", "exit-code exited 69\n", 0s}) == "nothing to work with (exit status 69)");
  BOOST_TEST(end_of({"running\n", "exit-code exited 75\n", 0s}) == "Redis lost its data (exit status 75)");
  BOOST_TEST(end_of({"running\n", "exit-code exited 134\n", 0s}) == "crash (exit-code exited 134)");
  BOOST_TEST(end_of({"running\n", "exit-code exited 78a\n", 0s}) == "crash (exit-code exited 78a)");
  BOOST_TEST(end_of({"running\n", "signal killed 78\n", 0s}) == "crash (signal killed 78)");
}

BOOST_AUTO_TEST_CASE(a_crash_is_reported_with_what_systemd_has_seen_of_it) {
  BOOST_TEST(end_of({"running\n", "signal killed KILL\n", 0s}) == "crash (signal killed KILL)");
  BOOST_TEST(end_of({"running\n", "core-dump dumped SEGV\n", 0s}) == "crash (core-dump dumped SEGV)");
  BOOST_TEST(end_of({"running\n", "oom-kill  \n", 0s}) == "crash (oom-kill)");
}

BOOST_AUTO_TEST_CASE(after_a_kill_by_the_watchdog_the_stall_is_reported) {
  BOOST_TEST(end_of({"running\n", "watchdog killed ABRT\n", 30'149ms}) ==
             "watchdog: its loop had stalled for 30.1 s, since its last ping");
}

BOOST_AUTO_TEST_CASE(an_unknown_stall_is_not_reported) {
  BOOST_TEST(end_of({"running\n", "watchdog dumped ABRT\n", -1ms}) == "watchdog");
  BOOST_TEST(end_of({"running\n", "watchdog dumped ABRT\n", std::nullopt}) == "watchdog");
  BOOST_TEST(end_of({"", "watchdog dumped ABRT\n", 1'700'000'000s}) == "watchdog");
}

BOOST_AUTO_TEST_CASE(garbage_means_nothing_and_reaches_no_log) {
  BOOST_TEST(end_of({"run", "", 0s}) == "nothing");
  BOOST_TEST(end_of({std::string_view("\0\xff", 2), "", 0s}) == "nothing");
  BOOST_TEST(end_of({"running\nrunning\n", "", 0s}) == "nothing");
  BOOST_TEST(end_of({"stopped\n", "signal\nHealth Healthy", 0s}) == "clean stop");
  BOOST_TEST(end_of({"running\n", "   \n", 0s}) == "crash");
}
