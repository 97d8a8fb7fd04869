// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <portsync/health_monitor.hpp>
#include <portsync/port_record.hpp>
#include <portsync/state_sink.hpp>
#include <portsync/synchronizer.hpp>
#include <set>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "core/port_table.hpp"
#include "core/recent_window.hpp"
#include "core/record_packer.hpp"
#include "core/sink_states.hpp"
#include "core/sync_context.hpp"
#include "core/touch.hpp"

namespace portsync::core {

// Keeps one sink's rows equal to the ports. It records what each row is known to hold, which rows are in flight, and
// which wait. A port waits at most once, and its newest state wins. One batch is in flight at a time; changes meanwhile
// form the next one.
//
// Pure: the context supplies the time, and the sink is an interface.
class SinkQueue final : public StateSink::Observer, public ErasureObserver {
 public:
  SinkQueue(SyncContext& context, StateSink& sink, Projection projection, std::string name);

  // Handles a port that came or went, or whose link changed.
  void mark(Slot slot, const Touch& touch);
  // Does the work that is due: reads back, retries, sends a batch. Called after every round of events.
  void run();
  // Returns when run() has work that no event will announce.
  [[nodiscard]] std::optional<TimePoint> deadline() const;

  // Requests that the rows are read back and compared as soon as possible.
  void request_audit(Scope scope) { request_reading(scope == Scope::all ? Reading::all : Reading::listed); }
  // Requests the same for all rows, and removes rows without a link even if no link matches.
  void request_forced_audit();
  // Call it before the filter changes. Read-backs skipped the rows of names that match only now, so these rows are read
  // before they are sent.
  void on_filter_change();
  // Records that the link of this port is gone, so that the next one counts as another link, whatever its ifindex.
  void mark_replaced(Slot slot);

  // Requests that the row of a port is read and compared as soon as possible. The result is a row_checked event. An
  // error in it is the reason why the row was not read.
  void request_check(std::string_view port);

  // Returns true when the sink holds nothing of this port and nothing of it is in flight.
  [[nodiscard]] bool holds_nothing(Slot slot) const;
  // Forgets the row of a slot that is released, because another port will use the slot.
  void forget(Slot slot);

  [[nodiscard]] StateSink& sink() const noexcept { return sink_; }
  [[nodiscard]] bool idle() const noexcept;
  [[nodiscard]] bool all_stored() const noexcept { return is_known(store_) && pending() == 0; }
  // Returns true when the sink is open and its row equals the port's link.
  [[nodiscard]] bool in_sync(Slot slot) const;
  [[nodiscard]] bool synchronized_once() const noexcept { return synchronized_once_; }
  [[nodiscard]] std::size_t pending() const noexcept { return waiting_ + in_flight_ + held_back_; }
  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] std::size_t rows_left_alone() const noexcept { return rows_left_alone_; }
  [[nodiscard]] SinkReport report() const;
  // Returns when the next value leaves the last minute that report() covers.
  [[nodiscard]] std::optional<TimePoint> recent_end() const noexcept { return recent_.next_end(context_.now); }

  void on_open() override;
  void on_row(const StoredRow& row) override;
  void on_read_back(std::error_code error) override;
  void on_result(std::string_view port, Revision revision, std::error_code error) override;
  void on_closed(std::error_code error) override;
  void on_fields_lost(std::string_view port, const std::vector<std::string>& names) override;

 private:
  enum class Stored : std::uint8_t { absent, present, unknown };
  // The extent of a read-back, the widest first: every row, the rows that we know of, the unread rows, or the rows of
  // checking_.
  enum class Reading : std::uint8_t { all, listed, unread, checked };
  struct CheckedRow {
    PortRecord record;  // without fields when the row could not be read
    bool readable = true;
  };

  // The changes of a row since it was last known to be right.
  struct Pending {
    TimePoint since;           // when the oldest message was read
    std::uint32_t events = 0;  // link events; 0 = a repair
    Cause cause = Cause::initial;
  };

  using ReadId = std::uint32_t;

  struct Row {
    std::string known;               // Stored::present: the fields that the sink holds, packed
    Pending waiting_for;             // set while waiting or held back
    Revision last = 0;               // the latest sent; the one in flight, if there is one
    std::uint32_t sent = 0;          // in flight: index in sent_
    ReadId asked_for = 0;            // the latest read-back that listed it
    ReadId seen = 0;                 // the latest read-back that found it
    std::int32_t known_ifindex = 0;  // the row's ifindex; 0 = unknown, another_link = a link that is gone
    Stored stored = Stored::absent;
    RowStage stage = RowStage::settled;
    std::uint8_t attempts = 0;  // consecutive results of try_again
    bool first_sync = false;    // counted in first_sync_left_
    bool bounced = false;       // to be written although its fields are unchanged
    std::error_code refusal;
    TimePoint refused_since;
  };

  struct Outcomes {
    std::uint64_t writes = 0;
    std::uint64_t failures = 0;  // number of refused rows among these
  };

  // A row in flight.
  struct Sent {
    std::string record;  // the fields that the sink will hold, packed
    Pending reason;
    std::int32_t ifindex = 0;  // the ifindex that the row will belong to; 0 = an erase is in flight
    bool bounced = false;      // Row::bounced at the time of sending
  };

  static constexpr std::int32_t another_link = -1;

  Row& row(Slot slot);
  void row_count_at_least(Slot count) {
    if (count > row_count_) grow_rows(count);
  }
  void grow_rows(Slot count);
  void move(Row& row, Slot slot, RowEvent event, const Pending& reason);
  void move(Row& row, Slot slot, RowEvent event) { move(row, slot, event, Pending()); }  // an event without a reason
  void repair(Row& row, Slot slot);
  void compare_later(Slot slot);
  void forget_trouble(Row& row, Slot slot);
  void settle(Slot slot);

  void move(StoreEvent event) { store_ = next(store_, event); }
  void request_reading(Reading reading);
  void read_back(Reading reading);
  [[nodiscard]] std::vector<std::string_view> rows_to_read(Reading reading);
  void answer_checks(const std::vector<std::string>& ports, std::error_code error);
  void begin_write_only();
  [[nodiscard]] bool is_stale(const StoredRow& stored);
  [[nodiscard]] std::int32_t owner_of(Slot slot, const LinkState* link) const;
  // `known`: the fields that the row was known to hold, for those that could not be read.
  void project_stored(const StoredRow& stored, const LinkState* link, const PortRecord* known);
  void on_found(Slot slot, const StoredRow& stored);
  void on_unreadable(Row& row, Slot slot, const StoredRow& stored);
  void on_unreadable_without_port(const StoredRow& stored);
  [[nodiscard]] bool differs_in_readable_fields(Row& row, const StoredRow& stored);
  void note_readable_fields(Row& row, const StoredRow& stored, const LinkState* link);
  void on_missing(Slot slot);
  void remove_stale();
  // Returns false while no link has ever matched: no rows are removed then, because the filter or the namespace is
  // probably wrong.
  [[nodiscard]] bool may_remove() const noexcept { return force_ || context_.ports.ever_matched(); }
  void count_left_alone();
  void take_up_left_alone();
  void finish_first_reading();
  void read_again_later();

  [[nodiscard]] bool may_send() const;
  void send_batch();
  void fill_batch();
  void take_candidates();
  [[nodiscard]] bool send_erases();
  void send_puts();
  [[nodiscard]] bool is_replaced(const Row& row, const LinkState& link) const;
  // Returns what the sink holds of a row; valid until the next call.
  [[nodiscard]] const PortRecord& held(Slot slot);
  Sent& next_sent();
  void sent(Row& row, Slot slot, std::int32_t ifindex);
  void on_stored(Slot slot);
  void count_outcome(bool failure);
  void refuse(Slot slot, std::error_code error);
  void retry_refused();
  void doubt(Row& row, Slot slot);
  void retry(Row& row, Slot slot) { move(row, slot, RowEvent::retry, row.waiting_for); }
  [[nodiscard]] std::string words_of(std::error_code error) const;
  void note_trouble();
  void read_until_trouble_ends();

  SyncContext& context_;
  StateSink& sink_;
  const StoreWords* words_;  // nullptr: the sink does not implement it
  Projection projection_;
  std::string name_;

  std::deque<Row> rows_;    // by slot; references stay valid while it grows
  Slot row_count_ = 0;      // rows_.size(): asking a deque costs more than the rest of a link's change here
  std::vector<Sent> sent_;  // the batch in flight, and memory to reuse
  std::size_t sent_count_ = 0;
  RecordPacker packer_;
  std::vector<Slot> queue_;        // the waiting rows, while they are few; may hold stale entries
  std::vector<Slot> candidates_;   // scratch
  std::vector<PortRecord> stale_;  // rows found in the store that no port has
  // Rows whose removal was sent after the read-back under way was requested.
  std::set<std::string, std::less<>> erased_;
  std::vector<std::string> checks_;    // ports whose rows will be read
  std::vector<std::string> checking_;  // ports whose rows are being read
  std::vector<CheckedRow> checked_;    // rows that a check has found
  PortRecord projected_;               // scratch, like the next three
  PortRecord held_;
  PortRecord before_;
  std::string packed_;
  std::vector<std::string> fields_lost_;  // by the erase() whose result comes next
  std::error_code last_error_;
  std::string error_words_;                              // the server's own words for last_error_
  std::optional<TimePoint> compared_;                    // when the latest read-back ended
  std::string compare_error_;                            // of the latest read-back
  std::string trouble_;                                  // as it was last reported
  std::unordered_map<Slot, std::string> refusal_words_;  // of the rows with a refusal

  Revision revision_ = 0;
  Revision read_revision_ = 0;  // the latest revision when the read-back under way was requested
  ReadId read_id_ = 0;
  ReadId doubted_before_ = 0;  // read-backs of all rows before this one skipped names that match now; 0 = none did
  std::uint64_t drift_ = 0;    // found by the read-back under way
  std::size_t waiting_ = 0;
  std::size_t in_flight_ = 0;
  std::size_t held_back_ = 0;
  std::size_t first_sync_left_ = 0;
  std::size_t rows_left_alone_ = 0;
  std::size_t likely_ = 0;     // rows left alone that only look like ours, counted by the read-back under way
  std::size_t unclaimed_ = 0;  // rows that may be ours, found by the latest read-back of all rows
  std::size_t refusals_ = 0;   // rows with a refusal
  RecentWindow<Outcomes> recent_;
  std::optional<TimePoint> hold_until_;
  std::optional<TimePoint> retry_at_;       // when refused rows are retried
  std::optional<TimePoint> read_again_at_;  // when a failed read-back is retried
  std::optional<Reading> wanted_;           // the requested read-back; never `checked`
  StoreState store_ = StoreState::closed;
  Reading reading_ = Reading::all;  // the read-back under way
  bool force_ = false;              // remove rows even if no link matches, until all work is done
  bool collapsed_ = false;          // a collapse has not been reported yet
  bool compare_all_ = true;         // use this instead of the queue
  bool synchronized_once_ = false;
};

}  // namespace portsync::core
