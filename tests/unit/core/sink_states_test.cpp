// SPDX-License-Identifier: Apache-2.0
// Tests both tables: each stage with each event, and each state of the store with each event.
#define BOOST_TEST_MODULE sink_states
#include "core/sink_states.hpp"

#include <boost/test/unit_test.hpp>
#include <vector>

using namespace portsync::core;

namespace {

struct RowCase {
  RowStage stage;
  RowEvent event;
  RowStage next;
  ReasonStep reason = ReasonStep::keep;
};

// A pair that is not listed changes nothing.
const std::vector<RowCase> row_cases{
    {RowStage::settled, RowEvent::touched, RowStage::waiting, ReasonStep::set},
    {RowStage::waiting, RowEvent::touched, RowStage::waiting, ReasonStep::merge},
    {RowStage::sent, RowEvent::touched, RowStage::sent_and_waiting, ReasonStep::set},
    {RowStage::sent_and_waiting, RowEvent::touched, RowStage::sent_and_waiting, ReasonStep::merge},
    {RowStage::refused, RowEvent::touched, RowStage::refused, ReasonStep::merge},
    {RowStage::unread, RowEvent::touched, RowStage::unread, ReasonStep::merge},
    {RowStage::waiting, RowEvent::sent, RowStage::sent},
    {RowStage::sent, RowEvent::stored, RowStage::settled},
    {RowStage::sent_and_waiting, RowEvent::stored, RowStage::waiting},
    {RowStage::sent, RowEvent::not_stored, RowStage::waiting, ReasonStep::set},
    {RowStage::sent_and_waiting, RowEvent::not_stored, RowStage::waiting, ReasonStep::merge},
    {RowStage::waiting, RowEvent::refused, RowStage::refused},
    {RowStage::waiting, RowEvent::doubted, RowStage::unread},
    {RowStage::refused, RowEvent::doubted, RowStage::unread},
    {RowStage::refused, RowEvent::retry, RowStage::waiting, ReasonStep::set},
    {RowStage::unread, RowEvent::retry, RowStage::waiting, ReasonStep::set},
    {RowStage::waiting, RowEvent::right, RowStage::settled},
    {RowStage::refused, RowEvent::right, RowStage::settled},
    {RowStage::unread, RowEvent::right, RowStage::settled},
};

struct StoreCase {
  StoreState state;
  StoreEvent event;
  StoreState next;
};

const std::vector<StoreCase> store_cases{
    {StoreState::closed, StoreEvent::opened, StoreState::unknown},
    {StoreState::reading, StoreEvent::opened, StoreState::unknown},
    {StoreState::known, StoreEvent::opened, StoreState::unknown},
    {StoreState::auditing, StoreEvent::opened, StoreState::unknown},
    {StoreState::unknown, StoreEvent::closed, StoreState::closed},
    {StoreState::reading, StoreEvent::closed, StoreState::closed},
    {StoreState::known, StoreEvent::closed, StoreState::closed},
    {StoreState::auditing, StoreEvent::closed, StoreState::closed},
    {StoreState::unknown, StoreEvent::read_begun, StoreState::reading},
    {StoreState::known, StoreEvent::read_begun, StoreState::auditing},
    {StoreState::reading, StoreEvent::read_ended, StoreState::known},
    {StoreState::auditing, StoreEvent::read_ended, StoreState::known},
    {StoreState::reading, StoreEvent::read_failed, StoreState::unknown},
    {StoreState::auditing, StoreEvent::read_failed, StoreState::known},
    {StoreState::unknown, StoreEvent::unreadable, StoreState::known},
    {StoreState::unknown, StoreEvent::idle, StoreState::closed},
    {StoreState::reading, StoreEvent::idle, StoreState::closed},
    {StoreState::known, StoreEvent::idle, StoreState::reopening},
    {StoreState::auditing, StoreEvent::idle, StoreState::closed},
    {StoreState::reopening, StoreEvent::opened, StoreState::known},
    {StoreState::reopening, StoreEvent::closed, StoreState::closed},
};

}  // namespace

BOOST_AUTO_TEST_CASE(every_stage_of_a_row_with_every_event) {
  for (std::size_t event = 0; event < row_event_count; ++event) {
    for (std::size_t stage = 0; stage < row_stage_count; ++stage) {
      RowCase expected{static_cast<RowStage>(stage), static_cast<RowEvent>(event), static_cast<RowStage>(stage)};
      for (const RowCase& listed : row_cases) {
        if (listed.stage == expected.stage && listed.event == expected.event) expected = listed;
      }
      const RowStep step = next(expected.stage, expected.event);
      BOOST_TEST((step == RowStep{expected.next, expected.reason}), "stage " << stage << ", event " << event);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_row_on_its_way_may_wait_as_well) {
  BOOST_TEST(waits(RowStage::waiting));
  BOOST_TEST(waits(RowStage::sent_and_waiting));
  BOOST_TEST(!waits(RowStage::settled));
  BOOST_TEST(!waits(RowStage::sent));
  BOOST_TEST(!waits(RowStage::refused));
  BOOST_TEST(on_its_way(RowStage::sent));
  BOOST_TEST(on_its_way(RowStage::sent_and_waiting));
  BOOST_TEST(!on_its_way(RowStage::settled));
  BOOST_TEST(!on_its_way(RowStage::waiting));
  BOOST_TEST(!on_its_way(RowStage::refused));
  BOOST_TEST(!on_its_way(RowStage::unread));
}

BOOST_AUTO_TEST_CASE(a_row_that_is_held_back_does_not_wait) {
  for (const auto stage : {RowStage::refused, RowStage::unread}) {
    BOOST_TEST(is_held_back(stage));
    BOOST_TEST(!waits(stage));
  }
  for (const auto stage : {RowStage::settled, RowStage::waiting, RowStage::sent, RowStage::sent_and_waiting})
    BOOST_TEST(!is_held_back(stage));
}

BOOST_AUTO_TEST_CASE(every_state_of_the_store_with_every_event) {
  for (std::size_t event = 0; event < store_event_count; ++event) {
    for (std::size_t state = 0; state < store_state_count; ++state) {
      StoreCase expected{static_cast<StoreState>(state), static_cast<StoreEvent>(event),
                         static_cast<StoreState>(state)};
      for (const StoreCase& listed : store_cases) {
        if (listed.state == expected.state && listed.event == expected.event) expected = listed;
      }
      BOOST_TEST((next(expected.state, expected.event) == expected.next), "state " << state << ", event " << event);
    }
  }
}

BOOST_AUTO_TEST_CASE(rows_are_written_only_while_the_contents_are_known) {
  BOOST_TEST(!is_known(StoreState::closed));
  BOOST_TEST(!is_known(StoreState::unknown));
  BOOST_TEST(!is_known(StoreState::reading));
  BOOST_TEST(is_known(StoreState::known));
  BOOST_TEST(is_known(StoreState::auditing));
  BOOST_TEST(is_known(StoreState::reopening));
  for (const auto open : {StoreState::unknown, StoreState::reading, StoreState::known, StoreState::auditing})
    BOOST_TEST(!is_shut(open));
  BOOST_TEST(is_shut(StoreState::closed));
  BOOST_TEST(is_shut(StoreState::reopening));
  BOOST_TEST(is_reading(StoreState::reading));
  BOOST_TEST(is_reading(StoreState::auditing));
  BOOST_TEST(!is_reading(StoreState::closed));
  BOOST_TEST(!is_reading(StoreState::reopening));
  BOOST_TEST(!is_reading(StoreState::unknown));
  BOOST_TEST(!is_reading(StoreState::known));
}
