// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE snapshot_plan
#include "core/snapshot_plan.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <ostream>

using portsync::Cause;
using portsync::TimePoint;
using portsync::core::SnapshotPlan;
using namespace std::chrono_literals;
using Known = SnapshotPlan::Known;
using Outcome = SnapshotPlan::Outcome;
using Stage = SnapshotPlan::Stage;
using Step = SnapshotPlan::Step;

namespace portsync {
std::ostream& operator<<(std::ostream& out, Cause cause) {
  return out << to_string(cause);
}
namespace core {
std::ostream& operator<<(std::ostream& out, SnapshotPlan::Known known) {
  return out << static_cast<int>(known);
}
std::ostream& operator<<(std::ostream& out, SnapshotPlan::Stage stage) {
  return out << static_cast<int>(stage);
}
std::ostream& operator<<(std::ostream& out, SnapshotPlan::Step step) {
  return out << static_cast<int>(step);
}
}  // namespace core
}  // namespace portsync

namespace {

struct Planned {
  SnapshotPlan plan;
  TimePoint now{1h};

  // Reaches `known` through the plan's own events.
  explicit Planned(Known known) {
    plan.on_start(now);
    if (known == Known::nothing) return;
    begin();
    if (known == Known::settled) {
      for (int i = 1; i < SnapshotPlan::most_interrupted; ++i) {
        BOOST_REQUIRE_EQUAL(plan.on_listed(Outcome::interrupted, now), Step::again);
        begin();
      }
      BOOST_REQUIRE_EQUAL(plan.on_listed(Outcome::interrupted, now), Step::ask);
      BOOST_REQUIRE_EQUAL(plan.on_asked(Outcome::complete, now), Step::end);
    } else {
      BOOST_REQUIRE_EQUAL(plan.on_listed(Outcome::complete, now), Step::end);
      if (known == Known::doubtful) plan.on_loss(now);
    }
    BOOST_REQUIRE_EQUAL(plan.known(), known);
  }

  // Begins the wanted snapshot when it may begin, with a new event socket if the old one has lost something.
  void begin() {
    BOOST_REQUIRE(plan.wanted_at().has_value());
    now = std::max(now, *plan.wanted_at());
    plan.on_socket_replaced();
    plan.on_begin(now);
    BOOST_TEST(plan.stage() == Stage::listing);
    BOOST_TEST(!plan.wanted_at().has_value());
  }
  [[nodiscard]] std::chrono::nanoseconds pause() const { return *plan.wanted_at() - now; }
};

}  // namespace

// ---- What follows the end of a listing, for each degree of knowledge

BOOST_AUTO_TEST_CASE(a_complete_listing_is_the_end_whatever_was_known) {
  for (const Known known : {Known::nothing, Known::doubtful, Known::settled}) {
    Planned p(known);
    BOOST_TEST(p.plan.cause() == (known == Known::nothing ? Cause::initial : Cause::resync));
    p.begin();
    BOOST_TEST(p.plan.on_listed(Outcome::complete, p.now) == Step::end);
    BOOST_TEST(p.plan.known() == Known::surely);
    BOOST_TEST(p.plan.stage() == Stage::idle);
    BOOST_TEST(p.plan.cause() == Cause::resync);
    BOOST_TEST(p.plan.interrupted_in_a_row() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(interrupted_listings_are_tried_again_at_once_and_then_asked_about) {
  for (const Known known : {Known::nothing, Known::doubtful}) {
    Planned p(known);
    for (int i = 1; i < SnapshotPlan::most_interrupted; ++i) {
      p.begin();
      BOOST_TEST(p.plan.on_listed(Outcome::interrupted, p.now += 1ms) == Step::again);
      BOOST_TEST((p.pause() == 0ms));
      BOOST_TEST(p.plan.known() == known);
    }
    p.begin();
    BOOST_TEST(p.plan.on_listed(Outcome::interrupted, p.now += 1ms) == Step::ask);
    BOOST_TEST(p.plan.stage() == Stage::asking);
    BOOST_TEST(p.plan.running());
    BOOST_TEST(p.plan.interrupted_in_a_row() == 3U);
    BOOST_TEST(p.plan.on_asked(Outcome::complete, p.now) == Step::end);
    BOOST_TEST(p.plan.known() == Known::settled);
    BOOST_TEST((p.pause() == SnapshotPlan::settled_pause));
  }
}

BOOST_AUTO_TEST_CASE(patience_ends_with_the_second_listing_when_they_take_long) {
  Planned p(Known::nothing);
  p.begin();
  BOOST_TEST(p.plan.on_listed(Outcome::interrupted, p.now += 10s) == Step::again);
  p.begin();
  BOOST_TEST(p.plan.on_listed(Outcome::interrupted, p.now) == Step::ask);
}

BOOST_AUTO_TEST_CASE(having_settled_it_lists_once_a_second_until_a_listing_is_complete) {
  Planned p(Known::settled);
  for (int i = 0; i < 100; ++i) {
    p.begin();
    BOOST_TEST(p.plan.on_listed(Outcome::interrupted, p.now += 1ms) == Step::again);
    BOOST_TEST((p.pause() == SnapshotPlan::settled_pause));
    BOOST_TEST(p.plan.known() == Known::settled);
  }
  BOOST_TEST(p.plan.interrupted_in_a_row() == 103U);
  p.begin();
  BOOST_TEST(p.plan.on_listed(Outcome::complete, p.now) == Step::end);
  BOOST_TEST(p.plan.known() == Known::surely);
}

// Nothing was lost. So an audit's listing that is always interrupted leaves no doubt, and is not repeated for ever.
BOOST_AUTO_TEST_CASE(a_listing_on_request_that_is_interrupted_leaves_no_doubt) {
  Planned p(Known::surely);
  p.plan.on_request(p.now);
  for (int i = 1; i < SnapshotPlan::most_interrupted; ++i) {
    p.begin();
    BOOST_TEST(p.plan.on_listed(Outcome::interrupted, p.now) == Step::again);
  }
  p.begin();
  BOOST_TEST(p.plan.on_listed(Outcome::interrupted, p.now) == Step::ask);
  BOOST_TEST(p.plan.on_asked(Outcome::complete, p.now) == Step::end);
  BOOST_TEST(p.plan.known() == Known::surely);
  BOOST_TEST(p.plan.stage() == Stage::idle);
  BOOST_TEST(p.plan.interrupted_in_a_row() == 0U);  // this is no trouble either
}

BOOST_AUTO_TEST_CASE(failed_listings_are_tried_again_ever_more_rarely_and_settle_nothing) {
  Planned p(Known::doubtful);
  std::chrono::nanoseconds longest{0};
  for (int i = 0; i < 30; ++i) {
    p.begin();
    BOOST_TEST(p.plan.on_listed(Outcome::failed, p.now) == Step::again);
    longest = std::max(longest, p.pause());
    BOOST_TEST(p.plan.known() == Known::doubtful);
  }
  BOOST_TEST((longest == portsync::core::ResyncPolicy::longest_pause));
}

BOOST_AUTO_TEST_CASE(failed_questions_settle_nothing) {
  Planned p(Known::doubtful);
  for (int i = 1; i <= SnapshotPlan::most_interrupted; ++i) {
    p.begin();
    (void)p.plan.on_listed(Outcome::interrupted, p.now);
  }
  BOOST_TEST(p.plan.on_asked(Outcome::failed, p.now) == Step::again);
  BOOST_TEST(p.plan.known() == Known::doubtful);
  BOOST_TEST(p.plan.stage() == Stage::wanted);
}

// ---- Losses

BOOST_AUTO_TEST_CASE(a_loss_during_a_listing_makes_its_end_worthless_however_it_ends) {
  for (const Outcome outcome : {Outcome::complete, Outcome::interrupted, Outcome::failed}) {
    Planned p(Known::nothing);
    p.begin();
    p.plan.on_loss(p.now);
    BOOST_TEST(p.plan.stage() == Stage::listing);
    BOOST_TEST(p.plan.on_listed(outcome, p.now) == Step::again);
    BOOST_TEST((p.pause() == 0ms));
    BOOST_TEST(p.plan.lost());
    BOOST_TEST(p.plan.known() == Known::nothing);
  }
}

BOOST_AUTO_TEST_CASE(a_loss_while_it_asks_makes_the_answers_worthless) {
  Planned p(Known::nothing);
  for (int i = 1; i <= SnapshotPlan::most_interrupted; ++i) {
    p.begin();
    (void)p.plan.on_listed(Outcome::interrupted, p.now);
  }
  p.plan.on_loss(p.now);
  BOOST_TEST(p.plan.on_asked(Outcome::complete, p.now) == Step::again);
  BOOST_TEST(p.plan.known() == Known::nothing);
}

BOOST_AUTO_TEST_CASE(a_loss_does_not_wait_for_the_pause_after_settling) {
  Planned p(Known::settled);
  p.plan.on_loss(p.now += 1ms);
  BOOST_TEST((p.pause() == 0ms));
  BOOST_TEST(p.plan.known() == Known::doubtful);
  for (int i = 1; i < SnapshotPlan::most_interrupted; ++i) {  // the loss has its own attempts
    p.begin();
    BOOST_TEST(p.plan.on_listed(Outcome::interrupted, p.now) == Step::again);
    BOOST_TEST((p.pause() == 0ms));
  }
  p.begin();
  BOOST_TEST(p.plan.on_listed(Outcome::interrupted, p.now) == Step::ask);
}

// An interrupted listing does not count as a loss, so the pauses after losses do not grow.
BOOST_AUTO_TEST_CASE(interruptions_do_not_delay_what_a_loss_asks_for) {
  Planned p(Known::settled);
  for (int i = 0; i < 20; ++i) {
    p.begin();
    BOOST_TEST(p.plan.on_listed(Outcome::interrupted, p.now) == Step::again);
  }
  p.plan.on_loss(p.now);
  BOOST_TEST((p.pause() == 0ms));
}

BOOST_AUTO_TEST_CASE(a_stream_of_losses_is_answered_ever_more_rarely) {
  Planned p(Known::surely);
  std::chrono::nanoseconds longest{0};
  for (int i = 0; i < 30; ++i) {
    p.plan.on_loss(p.now);
    longest = std::max(longest, p.pause());
    p.begin();
    BOOST_TEST(p.plan.on_listed(Outcome::complete, p.now) == Step::end);
  }
  BOOST_TEST((longest == portsync::core::ResyncPolicy::longest_pause));
}

// ---- Requests, and snapshots that cannot begin

BOOST_AUTO_TEST_CASE(one_snapshot_serves_all_requests) {
  Planned p(Known::surely);
  p.plan.on_request(p.now);
  p.plan.on_request(p.now + 1s);
  BOOST_TEST((p.pause() == 0ms));
  p.begin();
  p.plan.on_request(p.now);
  BOOST_TEST(p.plan.on_listed(Outcome::complete, p.now) == Step::end);
  BOOST_TEST(!p.plan.wanted_at().has_value());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_begun_is_tried_again_ever_more_rarely) {
  Planned p(Known::doubtful);
  std::chrono::nanoseconds longest{0};
  for (int i = 0; i < 30; ++i) {
    p.plan.on_refused(p.now);
    longest = std::max(longest, p.pause());
    p.now = *p.plan.wanted_at();
    BOOST_TEST(p.plan.lost());
  }
  BOOST_TEST((longest == portsync::core::ResyncPolicy::longest_pause));
}

BOOST_AUTO_TEST_CASE(what_a_handler_missed_is_in_doubt) {
  Planned p(Known::surely);
  p.plan.on_missed(p.now);
  BOOST_TEST(p.plan.known() == Known::doubtful);
  BOOST_TEST((p.pause() == 0ms));
  BOOST_TEST(!p.plan.lost());  // the event socket has lost nothing
  Planned first(Known::nothing);
  first.begin();
  first.plan.on_missed(first.now);
  BOOST_TEST(first.plan.known() == Known::nothing);
  BOOST_TEST(first.plan.stage() == Stage::wanted);
}
