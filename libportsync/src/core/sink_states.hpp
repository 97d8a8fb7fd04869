// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

// What SinkQueue knows, as two state machines without data: the stage of a row, and what is known of the store. Each
// has one function that says what follows from what.
namespace portsync::core {

enum class RowStage : std::uint8_t {
  settled,           // nothing to do
  waiting,           // to be compared, and sent when it differs
  sent,              // on its way
  sent_and_waiting,  // on its way, and to be compared again after the answer
  refused,           // not to be sent before the retry, however often its link changes
};
constexpr std::size_t row_stage_count = 5;

enum class RowEvent : std::uint8_t {
  touched,     // it may differ from the store
  sent,        // given to the sink
  stored,      // the sink's answer
  not_stored,  // the sink's answer, or the connection is lost
  refused,     // by the sink, or too often not stored
  retry,       // the pause after a refusal is over
  right,       // compared, and nothing is to be done
};
constexpr std::size_t row_event_count = 7;

// What a step does with the reason for which the row waits.
enum class ReasonStep : std::uint8_t {
  keep,   // as it is: the row waits already, or does not wait
  set,    // the event's reason; the row joins the queue
  merge,  // the event's reason joins the row's own
};

struct RowStep {
  RowStage next;
  ReasonStep reason = ReasonStep::keep;
};

[[nodiscard]] constexpr bool operator==(const RowStep& a, const RowStep& b) noexcept {
  return a.next == b.next && a.reason == b.reason;
}

// An event that a stage does not expect changes nothing.
[[nodiscard]] constexpr RowStep next(RowStage stage, RowEvent event) noexcept {
  using enum RowStage;
  using enum ReasonStep;
  constexpr std::array<std::array<RowStep, row_stage_count>, row_event_count> table{{
      // settled          waiting            sent                     sent_and_waiting           refused
      {{{waiting, set}, {waiting, merge}, {sent_and_waiting, set}, {sent_and_waiting, merge}, {refused, merge}}},
      {{{settled}, {sent}, {sent}, {sent_and_waiting}, {refused}}},           // sent
      {{{settled}, {waiting}, {settled}, {waiting}, {refused}}},              // stored
      {{{settled}, {waiting}, {waiting, set}, {waiting, merge}, {refused}}},  // not_stored
      {{{settled}, {refused}, {sent}, {sent_and_waiting}, {refused}}},        // refused
      {{{settled}, {waiting}, {sent}, {sent_and_waiting}, {waiting, set}}},   // retry
      {{{settled}, {settled}, {sent}, {sent_and_waiting}, {settled}}},        // right
  }};
  return table[static_cast<std::size_t>(event)][static_cast<std::size_t>(stage)];
}

// The row is to be compared as soon as may be.
[[nodiscard]] constexpr bool waits(RowStage stage) noexcept {
  return stage == RowStage::waiting || stage == RowStage::sent_and_waiting;
}
// The sink has not answered yet.
[[nodiscard]] constexpr bool on_its_way(RowStage stage) noexcept {
  return stage == RowStage::sent || stage == RowStage::sent_and_waiting;
}

enum class StoreState : std::uint8_t {
  closed,     // cannot be written or read
  unknown,    // open; nothing is written before everything has been read back
  reading,    // everything is being read back
  known,      // what it holds is known, row by row
  auditing,   // the same, and being compared with what it really holds
  reopening,  // known, and cannot be written just now: it has closed an idle connection, which is opened again at once
};
constexpr std::size_t store_state_count = 6;

enum class StoreEvent : std::uint8_t {
  opened,
  closed,
  read_begun,
  read_ended,
  read_failed,
  unreadable,  // a sink that can only be written: what it was given is all that there is to know
  idle,        // it has closed the connection while nothing was on its way
};
constexpr std::size_t store_event_count = 7;

// An event that a state does not expect changes nothing.
[[nodiscard]] constexpr StoreState next(StoreState state, StoreEvent event) noexcept {
  using enum StoreState;
  constexpr std::array<std::array<StoreState, store_state_count>, store_event_count> table{{
      // closed, unknown, reading, known, auditing, reopening
      {{unknown, unknown, unknown, unknown, unknown, known}},       // opened
      {{closed, closed, closed, closed, closed, closed}},           // closed
      {{closed, reading, reading, auditing, auditing, reopening}},  // read_begun
      {{closed, unknown, known, known, known, reopening}},          // read_ended
      {{closed, unknown, unknown, known, known, reopening}},        // read_failed
      {{closed, known, reading, known, auditing, reopening}},       // unreadable
      {{closed, closed, closed, reopening, closed, reopening}},     // idle
  }};
  return table[static_cast<std::size_t>(event)][static_cast<std::size_t>(state)];
}

// What the store holds of each row is known.
[[nodiscard]] constexpr bool is_known(StoreState state) noexcept {
  return state == StoreState::known || state == StoreState::auditing || state == StoreState::reopening;
}
// Rows cannot be written or read.
[[nodiscard]] constexpr bool is_shut(StoreState state) noexcept {
  return state == StoreState::closed || state == StoreState::reopening;
}
// A read-back is under way.
[[nodiscard]] constexpr bool is_reading(StoreState state) noexcept {
  return state == StoreState::reading || state == StoreState::auditing;
}

}  // namespace portsync::core
