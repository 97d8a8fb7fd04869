// SPDX-License-Identifier: Apache-2.0
// Compares what a sink holds with what it should hold: after it opened, and at every audit.
#include <algorithm>
#include <utility>

#include "core/sink_queue.hpp"

namespace portsync::core {

void SinkQueue::request_reading(Reading reading) {
  if (!wanted_ || reading < *wanted_) wanted_ = reading;
}

void SinkQueue::request_forced_audit() {
  force_ = true;
  request_audit(Scope::all);
}

void SinkQueue::request_check(std::string_view port) {
  if (std::find(checks_.begin(), checks_.end(), port) == checks_.end()) checks_.emplace_back(port);
  if (!is_known(store_)) answer_checks(std::exchange(checks_, {}), Errc::not_open);
}

// Returns the rows that a read-back requests by name, and marks them as requested.
std::vector<std::string_view> SinkQueue::rows_to_read(Reading reading) {
  std::vector<std::string_view> ports;
  const auto ask_for = [this, &ports](Slot slot) {
    row(slot).asked_for = read_id_ + 1;
    ports.push_back(context_.ports.name(slot));
  };
  if (reading == Reading::checked) {
    checking_ = std::exchange(checks_, {});
    for (const std::string& port : checking_) {
      if (const Slot slot = context_.ports.find(port); slot != PortTable::none) ask_for(slot);
    }
  }
  if (reading != Reading::listed && reading != Reading::unread) return ports;
  for (Slot slot = 0; slot < rows_.size(); ++slot) {
    const Row& row = rows_[slot];
    const bool is_known_of = reading == Reading::listed && row.stored != Stored::absent;
    if (is_known_of || row.stage == RowStage::unread) ask_for(slot);
  }
  return ports;
}

void SinkQueue::read_back(Reading reading) {
  const std::error_code error =
      sink_.read_back(reading == Reading::all ? Scope::all : Scope::listed, rows_to_read(reading));
  if (error && reading == Reading::checked) return answer_checks(std::exchange(checking_, {}), error);
  if (reading != Reading::checked) read_again_at_.reset();
  if (error == Errc::not_supported) {
    wanted_.reset();
    if (store_ == StoreState::unknown) begin_write_only();
    return;
  }
  if (error) {
    read_again_at_ = context_.now + context_.options.retry_interval;
    return;
  }
  reading_ = reading;
  move(StoreEvent::read_begun);
  read_revision_ = revision_;
  drift_ = 0;
  likely_ = 0;
  ++read_id_;
  stale_.clear();
  erased_.clear();
  if (reading != Reading::checked) wanted_.reset();  // done: the read-back has the requested extent, or all rows
}

// The sink cannot be read. Every port is written, and the rows written for ports that are gone are removed.
void SinkQueue::begin_write_only() {
  row_count_at_least(context_.ports.end());
  for (Slot slot = 0; slot < rows_.size(); ++slot) {
    const bool differs = context_.ports.link(slot) != nullptr || rows_[slot].stored != Stored::absent;
    if (differs && !waits(rows_[slot].stage)) repair(rows_[slot], slot);
  }
  move(StoreEvent::unreadable);
  finish_first_reading();
}

void SinkQueue::on_row(const StoredRow& stored) {
  if (!is_reading(store_)) return;
  if (erased_.find(stored.port) != erased_.end()) return;  // it may have been read before it was removed
  const Slot slot = context_.ports.find(stored.port);
  if (slot != PortTable::none) {
    on_found(slot, stored);
  } else if (!stored.readable) {
    on_unreadable_without_port(stored);
  } else if (is_stale(stored)) {
    project_stored(stored, nullptr, nullptr);
    stale_.push_back(held_);
  }
}

// Returns true when a row that no port has is ours to remove. A row that only looks like ours may belong to another
// writer, so it stays. likely_ counts such rows: while no link matches, the filter is probably wrong, and they are
// reported.
bool SinkQueue::is_stale(const StoredRow& stored) {
  if (context_.ports.filter().matches_name(stored.port)) return true;
  static const PortFilter any_port{{"*"}, std::nullopt};
  if (stored.owner == StoredRow::Owner::unknown || !any_port.matches_name(stored.port)) return false;
  if (stored.owner == StoredRow::Owner::ours) return true;
  ++likely_;
  return false;
}

// Returns the ifindex that a found row belongs to: the one known from an earlier run, otherwise the link's, otherwise
// 0.
std::int32_t SinkQueue::owner_of(Slot slot, const LinkState* link) const {
  const auto earlier = context_.known_ifindexes.find(context_.ports.name(slot));
  if (earlier != context_.known_ifindexes.end()) return earlier->second;
  return link == nullptr ? 0 : link->ifindex;
}

// Sets held_ to the stored values of the projection's fields, in the projection's order. Without a link, it projects a
// made-up one to learn the fields. If a link of this name comes before the row is removed, its row is compared with
// held_.
void SinkQueue::project_stored(const StoredRow& stored, const LinkState* link, const PortRecord* known) {
  LinkState made_up;
  if (link == nullptr) {
    made_up.name = stored.port;
    made_up.mtu = 0;
  }
  projection_(link != nullptr ? *link : made_up, projected_);
  held_.port = stored.port;
  held_.fields.clear();
  for (const Field& field : projected_.fields) {
    const auto it = std::find_if(stored.fields->begin(), stored.fields->end(),
                                 [&field](const auto& has) { return has.first == field.name; });
    if (it != stored.fields->end()) {
      held_.fields.push_back({field.name, std::string(it->second)});
    } else if (field.name == stored.unread_field) {
      const std::string* value = known == nullptr ? nullptr : find_field(*known, field.name);
      held_.fields.push_back(value == nullptr ? field : Field{field.name, *value});  // not known to be wrong
    }
  }
}

void SinkQueue::on_found(Slot slot, const StoredRow& stored) {
  Row& found = row(slot);
  found.seen = read_id_;
  const LinkState* link = context_.ports.link(slot);
  if (reading_ == Reading::checked) {
    if (stored.readable) project_stored(stored, link, nullptr);
    checked_.push_back({stored.readable ? held_ : PortRecord{std::string(stored.port), {}}, stored.readable});
  }
  if (on_its_way(found.stage) || found.last > read_revision_) return;  // read before the row was last sent
  if (!stored.readable) return on_unreadable(found, slot, stored);
  const Stored believed = std::exchange(found.stored, Stored::present);
  const bool needs_known = !stored.unread_field.empty() && believed == Stored::present;
  if (needs_known) packer_.unpack(found.known, before_);
  project_stored(stored, link, needs_known ? &before_ : nullptr);
  packer_.pack(held_, packed_);
  if (found.known_ifindex == 0) found.known_ifindex = owner_of(slot, link);
  if (link == nullptr) {
    repair(found, slot);
  } else {
    if (store_ == StoreState::auditing && believed == Stored::present && packed_ != found.known) ++drift_;
    const bool differs = held_.fields != projected_.fields || is_replaced(found, *link);
    if (differs && !waits(found.stage)) repair(found, slot);
    if (!differs && is_held_back(found.stage) && !found.bounced) settle(slot);
  }
  found.known = packed_;
  if (found.stage == RowStage::unread) retry(found, slot);
}

// An acknowledged row is not written again only because it cannot be compared. An unacknowledged one is written once,
// without the fields that could be read and are right.
void SinkQueue::on_unreadable(Row& row, Slot slot, const StoredRow& stored) {
  const LinkState* link = context_.ports.link(slot);
  bool differs = true;
  if (row.stored == Stored::present) {
    differs = differs_in_readable_fields(row, stored);
  } else {
    note_readable_fields(row, stored, link);
  }
  if (differs && link != nullptr && !waits(row.stage)) repair(row, slot);
  if (row.stage == RowStage::unread) retry(row, slot);
}

// Takes over the values that could be read. Returns whether one was not what we knew.
bool SinkQueue::differs_in_readable_fields(Row& row, const StoredRow& stored) {
  packer_.unpack(row.known, before_);
  bool differs = false;
  for (Field& field : before_.fields) {
    for (const auto& [name, value] : *stored.fields) {
      if (name != field.name || value == field.value) continue;
      field.value = value;
      differs = true;
    }
  }
  if (differs) packer_.pack(before_, row.known);
  return differs;
}

void SinkQueue::note_readable_fields(Row& row, const StoredRow& stored, const LinkState* link) {
  project_stored(stored, link, nullptr);
  packer_.pack(held_, row.known);
  row.stored = held_.fields.empty() ? Stored::unknown : Stored::present;
}

// Keeps the row in the table of ports, so that the audits of the known rows read it, too. It is not removed unread.
void SinkQueue::on_unreadable_without_port(const StoredRow& stored) {
  if (!context_.ports.filter().matches_name(stored.port)) return;
  Row& kept = row(context_.ports.intern(stored.port));
  note_readable_fields(kept, stored, nullptr);
  kept.seen = read_id_;
}

void SinkQueue::on_missing(Slot slot) {
  Row& missing = rows_[slot];
  if (on_its_way(missing.stage) || missing.last > read_revision_) return;
  if (store_ == StoreState::auditing && missing.stored == Stored::present) ++drift_;
  missing.stored = Stored::absent;
  missing.known_ifindex = 0;
  if (context_.ports.link(slot) != nullptr) {
    if (!waits(missing.stage)) repair(missing, slot);
    if (missing.stage == RowStage::unread) retry(missing, slot);
    return;
  }
  settle(slot);
  context_.release_if_unused(slot);
}

void SinkQueue::on_read_back(std::error_code error) {
  if (!is_reading(store_)) return;
  if (error && reading_ == Reading::checked) {
    move(StoreEvent::read_failed);
    return answer_checks(std::exchange(checking_, {}), error);
  }
  if (error) {
    last_error_ = error;
    error_words_ = compare_error_ = words_of(error);
    read_again_at_ = context_.now + context_.options.retry_interval;
    if (store_ == StoreState::auditing) request_reading(reading_);
    move(StoreEvent::read_failed);
    stale_.clear();
    context_.report_due = true;
    return;
  }
  row_count_at_least(context_.ports.end());
  for (Slot slot = 0; slot < rows_.size(); ++slot) {
    // Not every row that is known now was listed: rows in flight at the time were not.
    const bool was_skipped = read_id_ < doubted_before_ && rows_[slot].stage == RowStage::unread;
    const bool asked_for = reading_ == Reading::all ? !was_skipped : rows_[slot].asked_for == read_id_;
    if (context_.ports.in_use(slot) && asked_for && rows_[slot].seen != read_id_) on_missing(slot);
  }
  if (reading_ == Reading::checked || reading_ == Reading::unread) {
    move(StoreEvent::read_ended);
    context_.statistics.drift_repaired += drift_;
    if (reading_ == Reading::checked) return answer_checks(std::exchange(checking_, {}), {});
    compare_error_.clear();
    return;
  }
  if (reading_ == Reading::all) {
    remove_stale();
    if (read_id_ >= doubted_before_) doubted_before_ = 0;
  }
  count_left_alone();
  compared_ = context_.statistics.last_compared = context_.now;
  compare_error_.clear();
  context_.report_due = true;
  const bool first_reading = store_ == StoreState::reading;
  move(StoreEvent::read_ended);
  if (first_reading) {
    finish_first_reading();
    // Late writes of the previous connection may land after this reading, so read everything again.
    if (words_ != nullptr && !words_->trouble().empty()) read_again_later();
    return;
  }
  context_.statistics.drift_repaired += drift_;
  ++context_.statistics.audits;
  context_.report({.kind = SyncEvent::Kind::audit_completed, .sink = name_, .count = drift_});
}

void SinkQueue::read_again_later() {
  request_audit(Scope::all);
  read_again_at_ = context_.now + context_.options.retry_interval;
}

void SinkQueue::answer_checks(const std::vector<std::string>& ports, std::error_code error) {
  const std::vector<CheckedRow> found = std::exchange(checked_, {});
  for (const std::string& port : ports) {
    const auto checked =
        std::find_if(found.begin(), found.end(), [&port](const CheckedRow& row) { return row.record.port == port; });
    const bool was_read = checked != found.end() && checked->readable;
    const std::error_code why =
        error || was_read || checked == found.end() ? error : std::make_error_code(std::errc::io_error);
    const std::string text = why ? words_of(why) : "";
    context_.report({.kind = SyncEvent::Kind::row_checked,
                     .sink = name_,
                     .port = port,
                     .error = why,
                     .record = was_read ? &checked->record : nullptr,
                     .text = text});
  }
}

// Makes the rows of nonexistent ports wait for removal. send_erases() leaves them alone when no link matches.
void SinkQueue::remove_stale() {
  unclaimed_ = likely_;
  const std::vector<PortRecord> rows = std::exchange(stale_, {});
  for (const PortRecord& record : rows) {
    if (erased_.find(record.port) != erased_.end()) continue;  // its link came and went after the row was read
    const Slot slot = context_.ports.intern(record.port);
    Row& stale = row(slot);
    // A link of this name may have appeared since, and its row may have been written.
    if (on_its_way(stale.stage) || stale.last > read_revision_) continue;
    stale.stored = Stored::present;
    stale.known_ifindex = owner_of(slot, nullptr);
    packer_.pack(record, stale.known);
    repair(stale, slot);
  }
}

void SinkQueue::count_left_alone() {
  std::size_t left = 0;
  if (!may_remove()) {
    left = context_.ports.absence_accepted() ? 0 : unclaimed_;
    for (Slot slot = 0; slot < rows_.size(); ++slot) {
      if (rows_[slot].stored != Stored::absent && context_.ports.link(slot) == nullptr) ++left;
    }
  }
  if (std::exchange(rows_left_alone_, left) == left) return;
  context_.report_due = true;
  if (left > 0) context_.report({.kind = SyncEvent::Kind::rows_left_alone, .sink = name_, .count = left});
}

// Called when a link matches again, or when it is intended that none does.
void SinkQueue::take_up_left_alone() {
  for (Slot slot = 0; slot < rows_.size(); ++slot) {
    Row& left = rows_[slot];
    const bool alone = left.stored != Stored::absent && left.stage == RowStage::settled;
    if (alone && context_.ports.link(slot) == nullptr) repair(left, slot);
  }
  count_left_alone();
}

void SinkQueue::finish_first_reading() {
  context_.statistics.last_compared = context_.now;
  last_error_.clear();
  context_.report_due = true;
  first_sync_left_ = 0;
  for (Row& row : rows_) {
    row.first_sync = row.stage != RowStage::settled;
    if (row.first_sync) ++first_sync_left_;
  }
}

}  // namespace portsync::core
