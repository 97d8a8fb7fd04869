// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <portsync/health_monitor.hpp>
#include <portsync/port_record.hpp>
#include <portsync/state_sink.hpp>
#include <portsync/synchronizer.hpp>
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

// Keeps one sink's rows equal to the ports: what each row is known to hold, what is on its way, and which rows wait. A
// port waits at most once, and the newest state wins. One batch is on its way at a time; what changes meanwhile is the
// next.
//
// Pure: the time is the context's, and the sink is the interface.
class SinkQueue final : public StateSink::Observer, public ErasureObserver {
 public:
  SinkQueue(SyncContext& context, StateSink& sink, Projection projection, std::string name);

  // The port came, went, or its link changed.
  void mark(Slot slot, const Touch& touch);
  // Does what is due: reads back, retries, sends a batch. Called after every round of events.
  void run();
  // When run() has something to do that no event will announce.
  [[nodiscard]] std::optional<TimePoint> deadline() const;

  // Has the rows read back and compared as soon as may be.
  void request_audit(Scope scope);
  // The same for all rows, and removes those of no link even if no link matches.
  void request_forced_audit();
  // The link of this port is gone: the next one is another, whatever its ifindex.
  void mark_replaced(Slot slot);

  // Has the row of a port read and compared as soon as may be. The answer is a row_checked event; an error that it
  // carries says why the row was not read.
  void request_check(std::string_view port);

  // True when the sink holds nothing of this port and nothing of it is on its way.
  [[nodiscard]] bool holds_nothing(Slot slot) const;
  // The slot is given back, and will be another port's.
  void forget(Slot slot);

  [[nodiscard]] StateSink& sink() const noexcept { return sink_; }
  [[nodiscard]] bool idle() const noexcept;
  [[nodiscard]] bool all_stored() const noexcept { return is_known(store_) && pending() == 0; }
  // The sink is open and holds what the port's link is.
  [[nodiscard]] bool in_sync(Slot slot) const;
  [[nodiscard]] bool synchronized_once() const noexcept { return synchronized_once_; }
  [[nodiscard]] std::size_t pending() const noexcept { return waiting_ + in_flight_ + refused_.size(); }
  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] std::size_t rows_left_alone() const noexcept { return rows_left_alone_; }
  [[nodiscard]] SinkReport report() const;
  // When something leaves what report() tells of the last minute.
  [[nodiscard]] std::optional<TimePoint> recent_end() const noexcept { return recent_.next_end(context_.now); }

  void on_open() override;
  void on_row(const StoredRow& row) override;
  void on_read_back(std::error_code error) override;
  void on_result(std::string_view port, Revision revision, std::error_code error) override;
  void on_closed(std::error_code error) override;
  void on_fields_lost(std::string_view port, const std::vector<std::string>& names) override;

 private:
  enum class Stored : std::uint8_t { absent, present, unknown };
  // What a read-back reads: every row, the known rows, or the rows of checking_.
  enum class Reading : std::uint8_t { all, listed, checked };
  struct CheckedRow {
    PortRecord record;  // without fields when it could not be read
    bool readable = true;
  };

  // What happened to a row since it was last known to be right.
  struct Pending {
    TimePoint since;           // when the oldest message was read
    std::uint32_t events = 0;  // link events; 0 = a repair
    Cause cause = Cause::initial;
  };

  using ReadId = std::uint32_t;

  struct Row {
    std::string known;               // Stored::present: what the sink holds, packed
    Pending waiting_for;             // waiting or refused
    Revision last = 0;               // the latest sent: the one on its way, if there is one
    std::uint32_t sent = 0;          // on its way: index in sent_
    ReadId asked_for = 0;            // the read-back that listed it last
    ReadId seen = 0;                 // the read-back that found it last
    std::int32_t known_ifindex = 0;  // whose row it is; 0 = not known, another_link = one that is gone
    Stored stored = Stored::absent;
    RowStage stage = RowStage::settled;
    std::uint8_t attempts = 0;  // answered with try_again in a row
    bool first_sync = false;    // counted in first_sync_left_
    bool bounced = false;       // to be written although it looks the same
    std::error_code refusal;
    TimePoint refused_since;
  };

  struct Outcomes {
    std::uint64_t writes = 0;
    std::uint64_t failures = 0;  // of these
  };

  // What of a row is on its way.
  struct Sent {
    std::string record;  // what the sink will hold, packed
    Pending reason;
    std::int32_t ifindex = 0;  // whose row it will be; 0 = an erase is on its way
    bool bounced = false;      // the row's, when it was sent
  };

  static constexpr std::int32_t another_link = -1;

  Row& row(Slot slot);
  void row_count_at_least(Slot count) {
    if (count > row_count_) grow_rows(count);
  }
  void grow_rows(Slot count);
  void move(Row& row, Slot slot, RowEvent event, const Pending& reason);
  void move(Row& row, Slot slot, RowEvent event) { move(row, slot, event, Pending()); }  // one that gives no reason
  void repair(Row& row, Slot slot);
  void compare_later(Slot slot);
  void forget_trouble(Row& row, Slot slot);
  void settle(Slot slot);

  void move(StoreEvent event) { store_ = next(store_, event); }
  void read_back(Reading reading);
  [[nodiscard]] std::vector<std::string_view> rows_to_read(Reading reading);
  void answer_checks(const std::vector<std::string>& ports, std::error_code error);
  void begin_write_only();
  [[nodiscard]] bool is_stale(const StoredRow& stored);
  [[nodiscard]] std::int32_t owner_of(Slot slot, const LinkState& link) const;
  // `known`: what it was known to hold, for what could not be read.
  void project_stored(const StoredRow& stored, const LinkState* link, const PortRecord* known);
  void on_found(Slot slot, const StoredRow& stored);
  void on_unreadable(Row& row, Slot slot);
  void on_missing(Slot slot);
  void remove_stale();
  // No rows are removed while no link matches: the filter, or the namespace, is more likely to be wrong.
  [[nodiscard]] bool may_remove() const noexcept { return force_ || context_.ports.ever_matched(); }
  void count_left_alone();
  void take_up_left_alone();
  void finish_first_reading();

  [[nodiscard]] bool may_send() const;
  void send_batch();
  void fill_batch();
  void take_candidates();
  [[nodiscard]] bool send_erases();
  void send_puts();
  [[nodiscard]] bool is_replaced(const Row& row, const LinkState& link) const;
  // What the sink holds of a row; valid until the next call.
  [[nodiscard]] const PortRecord& held(Slot slot);
  Sent& next_sent();
  void sent(Row& row, Slot slot, std::int32_t ifindex);
  void on_stored(Slot slot);
  void count_outcome(bool failure);
  void refuse(Slot slot, std::error_code error);
  void retry_refused();
  void retry(Row& row, Slot slot);
  [[nodiscard]] bool may_be_unchanged(Slot slot);
  [[nodiscard]] std::string words_of(std::error_code error) const;
  void note_trouble();

  SyncContext& context_;
  StateSink& sink_;
  const StoreWords* words_;  // nullptr: the sink has none
  Projection projection_;
  std::string name_;

  std::deque<Row> rows_;    // by slot; references stay good while it grows
  Slot row_count_ = 0;      // rows_.size(), which costs a deque more than all else that a link's change does here
  std::vector<Sent> sent_;  // of the batch on its way, and memory to be used again
  std::size_t sent_count_ = 0;
  RecordPacker packer_;
  std::vector<Slot> queue_;       // the waiting ones, while they are few; may hold stale entries
  std::vector<Slot> candidates_;  // scratch
  std::vector<Slot> refused_;
  std::vector<PortRecord> stale_;      // rows found that no port has
  std::vector<std::string> checks_;    // ports whose rows are to be read
  std::vector<std::string> checking_;  // ports whose rows are being read
  std::vector<CheckedRow> checked_;    // rows that a check has found
  PortRecord projected_;               // scratch, as the next three
  PortRecord held_;
  PortRecord before_;
  std::string packed_;
  std::vector<std::string> fields_lost_;  // with the row that is answered next
  std::error_code last_error_;
  std::string error_words_;                              // the server's own for it
  std::optional<TimePoint> compared_;                    // by the latest read-back
  std::string compare_error_;                            // of the latest read-back
  std::string trouble_;                                  // as it was told
  std::unordered_map<Slot, std::string> refusal_words_;  // of the rows with a refusal

  Revision revision_ = 0;
  Revision read_revision_ = 0;  // the latest when the read-back under way was asked for
  ReadId read_id_ = 0;
  std::uint64_t drift_ = 0;  // found by the read-back under way
  std::size_t waiting_ = 0;
  std::size_t in_flight_ = 0;
  std::size_t first_sync_left_ = 0;
  std::size_t rows_left_alone_ = 0;
  std::size_t likely_ = 0;     // the same, found by the read-back under way
  std::size_t unclaimed_ = 0;  // rows that may be ours, found by the latest read-back of all
  std::size_t refusals_ = 0;   // rows with a refusal
  RecentWindow<Outcomes> recent_;
  std::optional<TimePoint> hold_until_;
  std::optional<TimePoint> retry_at_;       // refused rows
  std::optional<TimePoint> read_again_at_;  // a read-back that failed
  std::optional<Scope> audit_;              // asked for
  StoreState store_ = StoreState::closed;
  Reading reading_ = Reading::all;  // the read-back under way
  bool force_ = false;              // rows are removed even if no link matches, until all is done
  bool collapsed_ = false;          // to be told
  bool compare_all_ = true;         // instead of the queue
  bool synchronized_once_ = false;
};

}  // namespace portsync::core
