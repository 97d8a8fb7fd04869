// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

// Two state machines without data that SinkQueue uses: the stage of a row, and the state of the store. Each has one
// function that returns the next state.
namespace portsync::core {

enum class RowStage : std::uint8_t {
  settled,           // nothing to do
  waiting,           // to be compared, and to be sent if it differs
  sent,              // in flight
  sent_and_waiting,  // in flight, and to be compared again after the reply
  refused,           // not to be sent before the retry, however often its link changes
  unread,            // its contents are unknown: to be read before it is sent
};
constexpr std::size_t row_stage_count = 6;

enum class RowEvent : std::uint8_t {
  touched,     // it may differ from the store
  sent,        // given to the sink
  stored,      // the sink's reply
  not_stored,  // the sink's reply, or the connection was lost
  refused,     // by the sink, or not stored too many times
  doubted,     // it waits, or is to be retried, and its contents are unknown
  retry,       // the pause after a refusal is over, or the row was read
  right,       // compared, and nothing needs to be done
};
constexpr std::size_t row_event_count = 8;

// The effect of a step on the reason for which the row waits.
enum class ReasonStep : std::uint8_t {
  keep,   // unchanged: the row waits already, or does not wait
  set,    // the event's reason replaces it; the row joins the queue
  merge,  // the event's reason is added to the row's own
};

struct RowStep {
  RowStage next;
  ReasonStep reason = ReasonStep::keep;
};

[[nodiscard]] constexpr bool operator==(const RowStep& a, const RowStep& b) noexcept {
  return a.next == b.next && a.reason == b.reason;
}

// Returns the next step. An unexpected event changes nothing.
[[nodiscard]] constexpr RowStep next(RowStage stage, RowEvent event) noexcept {
  using enum RowStage;
  using enum ReasonStep;
  constexpr std::array<std::array<RowStep, row_stage_count>, row_event_count> table{{
      // settled, waiting, sent, sent_and_waiting, refused, unread
      {{{waiting, set},
        {waiting, merge},
        {sent_and_waiting, set},
        {sent_and_waiting, merge},
        {refused, merge},
        {unread, merge}}},                                                                // touched
      {{{settled}, {sent}, {sent}, {sent_and_waiting}, {refused}, {unread}}},             // sent
      {{{settled}, {waiting}, {settled}, {waiting}, {refused}, {unread}}},                // stored
      {{{settled}, {waiting}, {waiting, set}, {waiting, merge}, {refused}, {unread}}},    // not_stored
      {{{settled}, {refused}, {sent}, {sent_and_waiting}, {refused}, {unread}}},          // refused
      {{{settled}, {unread}, {sent}, {sent_and_waiting}, {unread}, {unread}}},            // doubted
      {{{settled}, {waiting}, {sent}, {sent_and_waiting}, {waiting, set}, {waiting, set}}},  // retry
      {{{settled}, {settled}, {sent}, {sent_and_waiting}, {settled}, {settled}}},         // right
  }};
  return table[static_cast<std::size_t>(event)][static_cast<std::size_t>(stage)];
}

// Returns true when the row is to be compared as soon as possible.
[[nodiscard]] constexpr bool waits(RowStage stage) noexcept {
  return stage == RowStage::waiting || stage == RowStage::sent_and_waiting;
}
// Returns true when the row is to be sent, but not yet.
[[nodiscard]] constexpr bool is_held_back(RowStage stage) noexcept {
  return stage == RowStage::refused || stage == RowStage::unread;
}
// Returns true when the sink has not replied yet.
[[nodiscard]] constexpr bool on_its_way(RowStage stage) noexcept {
  return stage == RowStage::sent || stage == RowStage::sent_and_waiting;
}

enum class StoreState : std::uint8_t {
  closed,     // can neither be written nor read
  unknown,    // open; nothing is written before everything has been read back
  reading,    // everything is being read back
  known,      // the contents of each row are known
  auditing,   // known, and being compared with the real contents
  reopening,  // known, but not writable now: the store closed an idle connection, which is reopened at once
};
constexpr std::size_t store_state_count = 6;

enum class StoreEvent : std::uint8_t {
  opened,
  closed,
  read_begun,
  read_ended,
  read_failed,
  unreadable,  // the sink is write-only: its contents are what it was given
  idle,        // the store closed the connection while nothing was in flight
};
constexpr std::size_t store_event_count = 7;

// Returns the next state. An unexpected event changes nothing.
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

// Returns true when the contents of each row are known.
[[nodiscard]] constexpr bool is_known(StoreState state) noexcept {
  return state == StoreState::known || state == StoreState::auditing || state == StoreState::reopening;
}
// Returns true when rows can neither be written nor read.
[[nodiscard]] constexpr bool is_shut(StoreState state) noexcept {
  return state == StoreState::closed || state == StoreState::reopening;
}
// Returns true while a read-back is under way.
[[nodiscard]] constexpr bool is_reading(StoreState state) noexcept {
  return state == StoreState::reading || state == StoreState::auditing;
}

}  // namespace portsync::core
