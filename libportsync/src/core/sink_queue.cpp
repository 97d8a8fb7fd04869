// SPDX-License-Identifier: Apache-2.0
// The life of a row: marked, compared, sent, acknowledged. Reading back is in sink_queue_read_back.cpp.
#include "core/sink_queue.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/earliest.hpp"

namespace portsync::core {
namespace {

// After this many "try again" answers in a row, a row counts as refused. Otherwise it might be sent for ever.
constexpr std::uint8_t attempts_in_a_row = 3;
// A row in flight for less than this counts as right. Otherwise a flood of changes would look like a failure.
constexpr std::chrono::seconds behind_after{1};
// The same limit for the first row of a port, because a thousand ports created at once are no failure either.
constexpr std::chrono::seconds new_port_behind_after{5};

std::chrono::microseconds since(TimePoint start, TimePoint now) {
  return std::chrono::duration_cast<std::chrono::microseconds>(now - start);
}

}  // namespace

SinkQueue::SinkQueue(SyncContext& context, StateSink& sink, Projection projection, std::string name)
    : context_(context),
      sink_(sink),
      words_(dynamic_cast<const StoreWords*>(&sink)),
      projection_(std::move(projection)),
      name_(std::move(name)) {}

SinkQueue::Row& SinkQueue::row(Slot slot) {
  row_count_at_least(slot + 1);
  return rows_[slot];
}

void SinkQueue::grow_rows(Slot count) {
  row_count_ = std::max(count, context_.ports.end());
  rows_.resize(row_count_);
}

void SinkQueue::mark(Slot slot, const Touch& touch) {
  Row& marked = row(slot);
  if (context_.ports.link(slot) == nullptr && marked.stored == Stored::absent && !on_its_way(marked.stage)) {
    // The port came and went without being stored. But if it is no port because of a new filter, the coming read-back
    // finds only rows of names that match, and may not find this one.
    if (is_known(store_) || context_.ports.filter().matches_name(context_.ports.name(slot))) {
      settle(slot);
      return;
    }
    marked.stored = Stored::unknown;
  }
  if (touch.bounced) marked.bounced = true;
  move(marked, slot, RowEvent::touched, {touch.when, 1, touch.cause});
  if (doubted_before_ != 0 && marked.stored == Stored::absent) doubt(marked, slot);
}

void SinkQueue::on_filter_change() {
  const bool has_skipped_rows = is_reading(store_) || (is_known(store_) && compared_);
  if (has_skipped_rows) doubted_before_ = read_id_ + 1;
  request_audit(Scope::all);
}

// The only function that changes a row's stage.
void SinkQueue::move(Row& moved, Slot slot, RowEvent event, const Pending& reason) {
  const RowStep step = next(moved.stage, event);
  if (step.next != moved.stage) {
    waiting_ += static_cast<std::size_t>(waits(step.next)) - static_cast<std::size_t>(waits(moved.stage));
    in_flight_ += static_cast<std::size_t>(on_its_way(step.next)) - static_cast<std::size_t>(on_its_way(moved.stage));
    held_back_ +=
        static_cast<std::size_t>(is_held_back(step.next)) - static_cast<std::size_t>(is_held_back(moved.stage));
    moved.stage = step.next;
  }
  switch (step.reason) {
    case ReasonStep::keep:
      return;
    case ReasonStep::merge:
      moved.waiting_for.since = std::min(moved.waiting_for.since, reason.since);
      moved.waiting_for.events += reason.events;
      moved.waiting_for.cause = reason.cause;
      return;
    case ReasonStep::set:
      moved.waiting_for = reason;
      if (!hold_until_) hold_until_ = context_.now + context_.options.max_hold;
      compare_later(slot);
      return;
  }
}

// Marks a row that differs although no link event concerns it.
void SinkQueue::repair(Row& row, Slot slot) {
  move(row, slot, RowEvent::touched, {context_.now, 0, Cause::resync});
}

// Adds a waiting row to the queue. A queue over its limit becomes "compare all".
void SinkQueue::compare_later(Slot slot) {
  if (compare_all_) return;
  if (queue_.size() < context_.options.max_event_queue) {
    queue_.push_back(slot);
    return;
  }
  queue_.clear();
  compare_all_ = true;
  ++context_.statistics.queue_collapses;
  collapsed_ = true;
}

// The row is right, or was so a moment ago. Its earlier trouble is over.
void SinkQueue::forget_trouble(Row& row, Slot slot) {
  row.attempts = 0;
  if (row.refusal) {
    row.refusal.clear();
    refusal_words_.erase(slot);
    if (--refusals_ == 0) context_.report_due = true;
  }
  if (std::exchange(row.first_sync, false)) --first_sync_left_;
}

// Nothing remains to be done for this row.
void SinkQueue::settle(Slot slot) {
  Row& settled = rows_[slot];
  settled.bounced = false;
  move(settled, slot, RowEvent::right);
  forget_trouble(settled, slot);
}

void SinkQueue::mark_replaced(Slot slot) {
  if (slot >= row_count_) return;
  Row& replaced = rows_[slot];
  if (replaced.stored != Stored::absent) replaced.known_ifindex = another_link;
  if (on_its_way(replaced.stage) && sent_[replaced.sent].ifindex != 0) sent_[replaced.sent].ifindex = another_link;
}

bool SinkQueue::holds_nothing(Slot slot) const {
  if (slot >= rows_.size()) return true;
  const Row& held = rows_[slot];
  return held.stored == Stored::absent && held.stage == RowStage::settled;
}

bool SinkQueue::in_sync(Slot slot) const {
  if (!is_known(store_) || slot >= rows_.size()) return false;
  const Row& row = rows_[slot];
  return row.stored == Stored::present && row.stage == RowStage::settled;
}

void SinkQueue::forget(Slot slot) {
  if (slot < rows_.size()) rows_[slot] = Row{};
}

bool SinkQueue::idle() const noexcept {
  // Before the first snapshot nothing may be written, and after stop() no snapshot will come.
  if (context_.stopped && !context_.ready()) return true;
  return store_ == StoreState::closed || (store_ == StoreState::known && pending() == 0);
}

void SinkQueue::run() {
  if (std::exchange(collapsed_, false)) context_.report({.kind = SyncEvent::Kind::queue_collapsed, .sink = name_});
  note_trouble();
  if (is_shut(store_)) return;
  if (rows_left_alone_ > 0 && is_known(store_) && may_remove()) take_up_left_alone();
  if (retry_at_ && context_.now >= *retry_at_) retry_refused();  // it may request a read-back
  if (context_.ready() && (!read_again_at_ || context_.now >= *read_again_at_)) {
    if (store_ == StoreState::unknown) {
      read_back(Reading::all);
    } else if (store_ == StoreState::known && wanted_) {
      read_back(*wanted_);
    }
  }
  if (store_ == StoreState::known && !checks_.empty()) read_back(Reading::checked);
  if (may_send()) send_batch();
  if (is_known(store_) && first_sync_left_ == 0) synchronized_once_ = true;
  if (force_ && !wanted_ && idle()) force_ = false;
}

std::optional<TimePoint> SinkQueue::deadline() const {
  if (is_shut(store_)) return std::nullopt;
  std::optional<TimePoint> first = retry_at_;
  if (is_known(store_) && waiting_ > 0 && in_flight_ == 0) first = earliest(first, hold_until_);
  const bool wants_to_read = store_ == StoreState::unknown || (store_ == StoreState::known && wanted_);
  return wants_to_read && context_.ready() ? earliest(first, read_again_at_) : first;
}

bool SinkQueue::may_send() const {
  if (!is_known(store_) || in_flight_ > 0 || waiting_ == 0) return false;
  return context_.drained || (hold_until_ && context_.now >= *hold_until_);
}

void SinkQueue::send_batch() {
  try {
    fill_batch();
  } catch (...) {  // by a projection or a sink: unhandled rows still wait, handled ones are sent
    queue_.clear();
    compare_all_ = true;
    if (in_flight_ > 0) std::ignore = sink_.flush();
    throw;
  }
  hold_until_.reset();
  if (waiting_ > 0) hold_until_ = context_.now + context_.options.max_hold;
  if (in_flight_ == 0) return;
  ++context_.statistics.batches;
  // A sink that cannot send calls on_closed(), which makes the rows wait again.
  std::ignore = sink_.flush();
}

// Removals precede writes, so that a subscriber sees a link's old name go before its new name comes.
void SinkQueue::fill_batch() {
  sent_count_ = 0;  // nothing is in flight
  take_candidates();
  const bool left_alone = send_erases();
  send_puts();
  for (const Slot slot : candidates_) {
    if (rows_[slot].stage == RowStage::waiting) compare_later(slot);  // the sink had no room
  }
  if (left_alone) count_left_alone();
}

void SinkQueue::take_candidates() {
  candidates_.clear();
  std::swap(candidates_, queue_);
  if (!compare_all_) return;
  compare_all_ = false;
  for (Slot slot = 0; slot < rows_.size(); ++slot) {
    if (waits(rows_[slot].stage)) candidates_.push_back(slot);
  }
}

bool SinkQueue::is_replaced(const Row& row, const LinkState& link) const {
  return context_.options.replace_on_new_ifindex && row.stored != Stored::absent && row.known_ifindex != 0 &&
         row.known_ifindex != link.ifindex;
}

// Returns true when rows were left alone.
bool SinkQueue::send_erases() {
  bool left_alone = false;
  for (const Slot slot : candidates_) {
    Row& erased = rows_[slot];
    if (erased.stage != RowStage::waiting) continue;  // a slot may occur in the queue twice
    const LinkState* link = context_.ports.link(slot);
    if (link != nullptr && !is_replaced(erased, *link)) continue;
    if (link == nullptr && (erased.stored == Stored::absent || !may_remove())) {
      left_alone = left_alone || erased.stored != Stored::absent;
      settle(slot);
      context_.release_if_unused(slot);
      continue;
    }
    if (sink_.room() == 0) return left_alone;
    next_sent();
    const std::error_code error = sink_.erase(context_.ports.name(slot), ++revision_);
    if (error == Errc::not_open || error == Errc::no_room) return left_alone;
    if (error) {
      refuse(slot, error);
      continue;
    }
    sent(erased, slot, 0);
    // The replacement goes into the next batch.
    if (link != nullptr) move(erased, slot, RowEvent::touched, sent_[erased.sent].reason);
  }
  return left_alone;
}

void SinkQueue::send_puts() {
  for (const Slot slot : candidates_) {
    Row& put = rows_[slot];
    const LinkState* link = put.stage == RowStage::waiting ? context_.ports.link(slot) : nullptr;
    if (link == nullptr || is_replaced(put, *link)) continue;  // replaced: there was no room for its erase
    projection_(*link, projected_);
    packer_.pack(projected_, packed_);
    const bool known = put.stored == Stored::present;
    if (known && put.known == packed_ && !put.bounced) {
      put.known_ifindex = link->ifindex;
      ++context_.statistics.unchanged;
      settle(slot);
      continue;
    }
    if (sink_.room() == 0) return;
    next_sent().record = packed_;
    const std::error_code error = sink_.put(projected_, known && !put.bounced ? &held(slot) : nullptr, ++revision_);
    if (error == Errc::not_open || error == Errc::no_room) return;
    if (error) {
      refuse(slot, error);
    } else {
      sent(put, slot, link->ifindex);
    }
  }
}

// Returns the next entry. It is created before the row goes to the sink, because nothing may fail afterwards.
SinkQueue::Sent& SinkQueue::next_sent() {
  if (sent_count_ == sent_.size()) sent_.emplace_back();
  return sent_[sent_count_];
}

void SinkQueue::sent(Row& row, Slot slot, std::int32_t ifindex) {
  move(row, slot, RowEvent::sent);
  Sent& sent = sent_[sent_count_];
  sent.reason = row.waiting_for;
  sent.ifindex = ifindex;
  sent.bounced = std::exchange(row.bounced, false);
  row.sent = static_cast<std::uint32_t>(sent_count_++);
  row.last = revision_;
}

const PortRecord& SinkQueue::held(Slot slot) {
  held_.port = context_.ports.name(slot);
  packer_.unpack(rows_[slot].known, held_);
  return held_;
}

void SinkQueue::on_result(std::string_view port, Revision revision, std::error_code error) {
  const Slot slot = context_.ports.find(port);
  if (slot == PortTable::none || slot >= rows_.size()) return;
  Row& answered = rows_[slot];
  if (!on_its_way(answered.stage) || answered.last != revision) return;
  if (!error) {
    on_stored(slot);
    return;
  }
  fields_lost_.clear();  // the row did not go
  // A refused row may be stored in part: in Redis, a row and its index entry are two commands.
  if (error != Errc::try_again) answered.stored = Stored::unknown;
  answered.bounced = answered.bounced || sent_[answered.sent].bounced;
  move(answered, slot, RowEvent::not_stored, sent_[answered.sent].reason);
  if (error != Errc::try_again || ++answered.attempts >= attempts_in_a_row) refuse(slot, error);
}

void SinkQueue::on_stored(Slot slot) {
  Row& stored = rows_[slot];
  move(stored, slot, RowEvent::stored);
  Sent& sent = sent_[stored.sent];
  const bool erased = sent.ifindex == 0;
  const Pending answered = sent.reason;
  const Revision revision_of_row = stored.last;
  const bool was_known = stored.stored == Stored::present;
  stored.stored = erased ? Stored::absent : Stored::present;
  stored.known_ifindex = sent.ifindex;
  stored.known.swap(sent.record);
  forget_trouble(stored, slot);

  SyncEvent event{.kind = erased ? SyncEvent::Kind::row_erased : SyncEvent::Kind::row_written, .sink = name_};
  const std::string port = context_.ports.name(slot);  // a copy, because the slot may be released below
  event.port = port;
  event.link = context_.ports.link(slot);
  if (!erased) event.record = &held(slot);
  if (was_known) {
    before_.port = port;
    packer_.unpack(sent.record, before_);  // the former fields, swapped in above
    event.before = &before_;
  }
  event.cause = answered.cause;
  event.count = answered.events;
  event.latency = since(answered.since, context_.now);
  ++(erased ? context_.statistics.erases : context_.statistics.writes);
  count_outcome(false);
  if (answered.events > 0 && answered.cause != Cause::initial) {
    context_.latencies.add(event.latency);
    // Only changes of existing rows count. Ports come and go by the thousand, and the wait of the last of them does not
    // measure the latency of a change.
    if (was_known && !erased) context_.recent_latencies.at(context_.now).add(event.latency);
  }
  if (erased && is_reading(store_) && revision_of_row > read_revision_) erased_.insert(port);
  if (erased) context_.release_if_unused(slot);
  context_.report(event);
  if (fields_lost_.empty()) return;
  const std::vector<std::string> fields = std::exchange(fields_lost_, {});
  if (!erased || answered.cause != Cause::resync) return;
  context_.report({.kind = SyncEvent::Kind::fields_lost, .sink = name_, .port = port, .fields = &fields});
}

void SinkQueue::on_fields_lost(std::string_view /*port*/, const std::vector<std::string>& names) {
  fields_lost_ = names;
}

void SinkQueue::count_outcome(bool failure) {
  Outcomes& outcomes = recent_.at(context_.now);
  ++outcomes.writes;
  if (failure) ++outcomes.failures;
}

// Keeps a waiting row out of the batches until the retry, however often its link changes.
void SinkQueue::refuse(Slot slot, std::error_code error) {
  Row& refused = rows_[slot];
  move(refused, slot, RowEvent::refused);
  refused.attempts = 0;
  if (!retry_at_) retry_at_ = context_.now + context_.options.retry_interval;
  ++context_.statistics.failures;
  refusal_words_[slot] = words_of(error);
  if (!refused.refusal) {
    refused.refused_since = context_.now;
    if (++refusals_ == 1) context_.report_due = true;
    count_outcome(true);
  }
  if (std::exchange(refused.refusal, error) == error) return;
  const std::string port = context_.ports.name(slot);  // a copy: the listener may change the filter, and so the table
  const std::string text = refusal_words_[slot];
  context_.report({.kind = SyncEvent::Kind::row_refused, .sink = name_, .port = port, .error = error, .text = text});
}

// A refused write may have changed the row in part, and its index entry may be stored. So the row is read first, and
// only what differs is written: an HSET of an unchanged row would wake every subscriber.
void SinkQueue::retry_refused() {
  retry_at_.reset();
  for (Slot slot = 0; slot < rows_.size(); ++slot) {
    Row& row = rows_[slot];
    if (row.stage != RowStage::refused) continue;
    const bool can_be_read = compared_.has_value();  // never set for a write-only sink
    if (row.stored == Stored::unknown && can_be_read) {
      doubt(row, slot);
    } else {
      retry(row, slot);
    }
  }
}

// Holds back a row that waits, or is to be retried, until it has been read. on_found(), on_unreadable() and
// on_missing() continue with it.
void SinkQueue::doubt(Row& row, Slot slot) {
  move(row, slot, RowEvent::doubted);
  if (row.stage != RowStage::unread) return;
  row.stored = Stored::unknown;
  request_reading(Reading::unread);
}

// Decides by the state and not by a change of the text: a trouble that ends with a read-back may begin again at once,
// in the same words.
void SinkQueue::read_until_trouble_ends() {
  const bool is_audited_soon = wanted_ && *wanted_ != Reading::unread;
  if (words_ == nullptr || words_->trouble().empty() || is_audited_soon || store_ != StoreState::known) return;
  if (words_->trouble_ends_by_reading()) read_again_later();
}

// Called after every round, which is cheap because the string is nearly always empty.
void SinkQueue::note_trouble() {
  static const std::string none;
  const std::string& of_store = words_ == nullptr ? none : words_->trouble();
  const std::string& trouble = compare_error_.empty() ? of_store : compare_error_;
  read_until_trouble_ends();
  if (trouble == trouble_) return;
  trouble_ = trouble;
  context_.report_due = true;
  const std::string text = (compare_error_.empty() ? "" : "rows cannot be read back, ") + trouble_;
  context_.report({.kind = SyncEvent::Kind::store_trouble, .sink = name_, .text = text});
}

// Returns the store's own words for a current error.
std::string SinkQueue::words_of(std::error_code error) const {
  std::string words = words_ == nullptr ? sink_.statistics().last_error : words_->error_text();
  return words.empty() ? error.message() : words;
}

void SinkQueue::on_open() {
  const bool was_idle = store_ == StoreState::reopening;
  move(StoreEvent::opened);
  // Changes by other writers in the meantime do not show on a living connection either. An audit finds them.
  if (was_idle) return request_audit(Scope::all);
  read_again_at_.reset();
  last_error_.clear();
  error_words_.clear();
  compare_error_.clear();
  context_.report_due = true;
  context_.report({.kind = SyncEvent::Kind::sink_opened, .sink = name_});
}

// Rows in flight may or may not be stored, and other programs may write while the sink cannot be read.
void SinkQueue::on_closed(std::error_code error) {
  const std::string text = words_ == nullptr ? error.message() : words_of(error);
  const bool news = store_ != StoreState::closed || error != last_error_ || text != error_words_;
  move(error == Errc::try_again && in_flight_ == 0 ? StoreEvent::idle : StoreEvent::closed);
  if (store_ == StoreState::reopening) return;
  compare_all_ = true;
  queue_.clear();
  stale_.clear();
  retry_at_.reset();
  doubted_before_ = 0;  // all rows will be read back
  first_sync_left_ = 0;
  for (Slot slot = 0; slot < rows_.size(); ++slot) {
    Row& lost = rows_[slot];
    lost.first_sync = false;
    if (lost.stored == Stored::present) lost.stored = Stored::unknown;
    if (is_held_back(lost.stage)) retry(lost, slot);
    if (on_its_way(lost.stage)) {
      lost.stored = Stored::unknown;
      lost.bounced = lost.bounced || sent_[lost.sent].bounced;
      move(lost, slot, RowEvent::not_stored, sent_[lost.sent].reason);
    }
  }
  last_error_ = error;
  error_words_ = text;
  context_.report_due = true;
  context_.statistics.last_compared.reset();
  const std::error_code unread = error ? error : std::error_code(Errc::not_open);
  answer_checks(std::exchange(checking_, {}), unread);
  answer_checks(std::exchange(checks_, {}), unread);
  if (news) context_.report({.kind = SyncEvent::Kind::sink_closed, .sink = name_, .error = error, .text = text});
}

SinkReport SinkQueue::report() const {
  SinkReport report;
  report.name = name_;
  report.open = is_known(store_);
  report.pending = pending();
  const auto older = [](std::optional<TimePoint>& oldest, std::string& port, TimePoint when, const std::string& name) {
    if (oldest && *oldest <= when) return;
    oldest = when;
    port = name;
  };
  for (Slot slot = 0; slot < rows_.size(); ++slot) {
    const Row& row = rows_[slot];
    const std::string& port = context_.ports.name(slot);
    std::optional<TimePoint> since;
    if (waits(row.stage) || is_held_back(row.stage)) since = row.waiting_for.since;
    if (on_its_way(row.stage)) since = earliest(since, sent_[row.sent].reason.since);
    if (since) older(report.pending_since, report.pending_port, *since, port);
    if (row.refusal) {
      older(report.refused_since, report.refused_port, row.refused_since, port);
      if (report.refused_port == port) report.error = refusal_words_.at(slot);
    }
    const auto limit = row.stored == Stored::present ? behind_after : new_port_behind_after;
    const bool late = since && context_.now - *since >= limit;
    if (late && context_.ports.link(slot) != nullptr) ++report.behind;
  }
  if (!report.open) report.error = error_words_;
  report.compared = compared_;
  report.compare_error = compare_error_;
  if (words_ != nullptr) report.trouble = words_->trouble();
  recent_.visit(context_.now, [&report](const Outcomes& outcomes) {
    report.writes += outcomes.writes;
    report.failures += outcomes.failures;
  });
  report.round_trip = sink_.statistics().round_trip;
  return report;
}

}  // namespace portsync::core
