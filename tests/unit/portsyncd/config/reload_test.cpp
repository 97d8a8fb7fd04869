// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE reload
#include "config/reload.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsyncd;

BOOST_AUTO_TEST_CASE(equal_configurations_change_nothing) {
  const ReloadPlan plan = plan_reload({}, {});
  BOOST_TEST(plan.applied.empty());
  BOOST_TEST(plan.needs_restart.empty());
}

BOOST_AUTO_TEST_CASE(what_can_change_while_it_runs_is_applied_and_the_rest_named) {
  Config wanted;
  wanted.ports.match = {"eth*"};
  wanted.performance.max_latency_us = 5000;
  wanted.database.redis_port = 6380;
  const ReloadPlan plan = plan_reload({}, wanted);
  BOOST_TEST(plan.applied == (std::vector<std::string>{"ports.match = [\"eth*\"], was [\"Ethernet*\"]",
                                                       "performance.max_latency_us = 5000, was 10000"}));
  BOOST_TEST(plan.needs_restart == std::vector<std::string>{"database.redis_port = 6380, was 6379"});
  BOOST_TEST(plan.next.ports.match == wanted.ports.match);
  BOOST_TEST(plan.next.performance.max_latency_us == 5000);
  BOOST_TEST(plan.next.database.redis_port == 6379);
}

// The next reload reports a pending restart again, because the restart has still not happened.
BOOST_AUTO_TEST_CASE(a_pending_restart_is_not_forgotten) {
  Config wanted;
  wanted.sync.port_index = false;
  wanted.logging.level = "debug";
  const ReloadPlan first = plan_reload({}, wanted);
  const ReloadPlan second = plan_reload(first.next, wanted);
  BOOST_TEST(second.applied.empty());
  BOOST_TEST(second.needs_restart == first.needs_restart);
}

BOOST_AUTO_TEST_CASE(every_key_is_applied_or_named_or_has_no_effect) {
  for (const Key& key : keys()) {
    Config wanted;
    std::visit(
        [](auto* member) {
          using T = std::decay_t<decltype(*member)>;
          if constexpr (std::is_same_v<T, bool>) {
            *member = !*member;
          } else if constexpr (std::is_arithmetic_v<T>) {
            *member += 1;
          } else {
            *member = T{};
          }
        },
        key.member(wanted));
    if (value_of(wanted, key) == value_of({}, key)) continue;  // the changed value "" is the default
    const ReloadPlan plan = plan_reload({}, wanted);
    BOOST_TEST(plan.applied.size() + plan.needs_restart.size() == 1U, full_name(key));
    BOOST_TEST((plan.applied.size() == 1) == (key.effect == Key::Effect::live), full_name(key));
  }
}

BOOST_AUTO_TEST_CASE(in_sonic_mode_ports_match_needs_a_restart) {
  Config running;
  running.sync.mode = "sonic";
  Config wanted = running;
  wanted.ports.match = {"eth*"};
  const ReloadPlan plan = plan_reload(running, wanted);
  BOOST_TEST(plan.applied.empty());
  BOOST_TEST(plan.needs_restart.size() == 1U);
  BOOST_TEST((plan.next.ports.match == running.ports.match));
}
