// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE start_decision
#include "sonic/start_decision.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsync::sonic;

namespace {

std::string mode(const Evidence& evidence) {
  return to_string(decide(evidence).mode);
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_empty_appl_db_is_a_cold_start) {
  const Decision decision = decide({});
  BOOST_TEST(to_string(decision.mode) == "cold");
  BOOST_TEST(decision.load_ports);
  BOOST_TEST(decision.set_leftovers_down);
  BOOST_TEST(decision.say_init_done);
  BOOST_TEST(decision.restore_count.value() == "0");
}

BOOST_AUTO_TEST_CASE(on_a_dpu_links_are_adopted) {
  const Decision decision = decide({.dpu = true});
  BOOST_TEST(to_string(decision.mode) == "dpu");
  BOOST_TEST(decision.load_ports);
  BOOST_TEST(!decision.set_leftovers_down);
}

BOOST_AUTO_TEST_CASE(port_config_done_means_that_portsyncd_alone_was_restarted) {
  const Decision decision = decide({.restore_count = "0", .port_config_done = true});
  BOOST_TEST(to_string(decision.mode) == "adopted");
  BOOST_TEST(!decision.load_ports);
  BOOST_TEST(!decision.set_leftovers_down);
  BOOST_TEST(decision.say_init_done);
  BOOST_TEST(!decision.restore_count.has_value());
  BOOST_TEST(mode({.dpu = true, .port_config_done = true}) == "adopted");
}

BOOST_AUTO_TEST_CASE(port_init_done_is_said_once_when_portsyncd_alone_is_restarted) {
  BOOST_TEST(!decide({.port_config_done = true, .port_init_done = true}).say_init_done);
}

BOOST_AUTO_TEST_CASE(a_warm_start_counts_and_loads_nothing) {
  const Decision decision =
      decide({.warm_enabled = true, .restore_count = "7", .port_config_done = true, .port_init_done = true});
  BOOST_TEST(to_string(decision.mode) == "warm");
  BOOST_TEST(!decision.load_ports);
  BOOST_TEST(!decision.set_leftovers_down);
  BOOST_TEST(decision.say_init_done);
  BOOST_TEST(decision.restore_count.value() == "8");
}

BOOST_AUTO_TEST_CASE(warm_without_a_count_is_a_cold_start) {
  // Without PortConfigDone it is no warm start either.
  BOOST_TEST(mode({.warm_enabled = true, .restore_count = "0"}) == "cold");
  BOOST_TEST(mode({.warm_enabled = true}) == "cold");
  for (const char* nonsense : {"", "x", "-1", "1 ", "99999999999999999999999"}) {
    const Decision decision = decide({.warm_enabled = true, .restore_count = nonsense});
    BOOST_TEST(to_string(decision.mode) == "cold", nonsense);
    BOOST_TEST(decision.restore_count.value() == "0", nonsense);
  }
}

BOOST_AUTO_TEST_CASE(a_count_of_a_warm_start_before_is_reset_by_a_cold_one) {
  BOOST_TEST(decide({.restore_count = "3"}).restore_count.value() == "0");
}
