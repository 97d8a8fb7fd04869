// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE resync_policy
#include "core/resync_policy.hpp"

#include <boost/test/unit_test.hpp>

using portsync::TimePoint;
using portsync::core::ResyncPolicy;
using namespace std::chrono_literals;

namespace {

std::chrono::nanoseconds pause_after_loss(ResyncPolicy& policy, TimePoint now) {
  const auto pause = policy.on_loss(now) - now;
  policy.on_started();
  return pause;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_first_losses_are_answered_at_once_and_a_stream_of_them_ever_more_rarely) {
  ResyncPolicy policy;
  TimePoint now{1h};
  for (int i = 0; i < ResyncPolicy::immediate; ++i) BOOST_TEST((pause_after_loss(policy, now += 1ms) == 0ms));
  BOOST_TEST((pause_after_loss(policy, now += 1ms) == 10ms));
  BOOST_TEST((pause_after_loss(policy, now += 11ms) == 20ms));
  BOOST_TEST((pause_after_loss(policy, now += 21ms) == 40ms));
  for (int i = 0; i < 1000; ++i) BOOST_TEST((pause_after_loss(policy, now += 1s) <= ResyncPolicy::longest_pause));
  BOOST_TEST((pause_after_loss(policy, now += 1s) == ResyncPolicy::longest_pause));
}

BOOST_AUTO_TEST_CASE(a_loss_does_not_postpone_the_snapshot_that_waits) {
  ResyncPolicy policy;
  TimePoint now{1h};
  for (int i = 0; i < 10; ++i) pause_after_loss(policy, now);
  const TimePoint allowed = policy.on_loss(now);
  for (int i = 0; i < 10; ++i) BOOST_TEST((policy.on_loss(now += 1ms) == allowed));
}

BOOST_AUTO_TEST_CASE(after_a_quiet_time_the_next_loss_is_the_first_again) {
  ResyncPolicy policy;
  TimePoint now{1h};
  for (int i = 0; i < 10; ++i) pause_after_loss(policy, now);
  BOOST_TEST((pause_after_loss(policy, now += ResyncPolicy::forget_after - 1ms) > 0ms));
  BOOST_TEST((pause_after_loss(policy, now += ResyncPolicy::forget_after) == 0ms));
}
