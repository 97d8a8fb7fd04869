// SPDX-License-Identifier: Apache-2.0
#include "redis/answers.hpp"

#include <algorithm>
#include <portsync/error.hpp>
#include <utility>

#include "redis/error_reply.hpp"
#include "redis/fields.hpp"

namespace portsync::redis {
namespace {

std::error_code refusal(const Reply& reply, Answers::Outcome& outcome) {
  outcome.error = classify(reply.text());
  outcome.text = reply.text();
  return outcome.error;
}

// Stores the first error of a row and ignores later ones. The sink reports the row with the first one.
void refuse(Answers::Row& row, std::error_code error, std::string_view text) {
  if (row.error) return;
  row.error = error;
  row.text.assign(text);
}

}  // namespace

Answers::Row& Answers::add(std::string_view port, Revision revision, bool is_erase) {
  Row& row = rows_.emplace_back();
  row.port.assign(port);
  row.revision = revision;
  row.is_erase = is_erase;
  return row;
}

void Answers::on_batch_sent(const Batch::Layout& layout, TimePoint now) {
  using Kind = Expected::Kind;
  const RowId first = std::exchange(first_unsent_row_, end());
  if (layout.rows + layout.index_commands == 0) {
    for (RowId id = first; id < end(); ++id) row(id).done = true;
    return;
  }
  if (layout.transaction) expected_.push_back({Kind::multi});
  for (RowId id = first; id < end(); ++id) {
    const Expected answer{layout.transaction ? Kind::queued_row : Kind::row, id};
    expected_.insert(expected_.end(), row(id).unanswered, answer);
  }
  const Expected answer{layout.transaction ? Kind::queued_index : Kind::index};
  expected_.insert(expected_.end(), layout.index_commands, answer);
  if (layout.transaction) expected_.push_back({Kind::exec});
  expected_.back().ends_batch = true;
  batches_.push_back({now, end(), layout.index_commands > 0});
}

void Answers::on_reads_sent(std::size_t count) {
  expected_.insert(expected_.end(), count, Expected{});
}

void Answers::on_discard_sent() {
  expected_.push_back({Expected::Kind::discard});
}

Answers::Outcome Answers::on_reply(const Reply& reply) {
  Outcome outcome;
  if (expected_.empty()) {
    outcome.fits = false;
    return outcome;
  }
  const Expected expected = expected_.front();
  expected_.pop_front();
  take(expected, reply, outcome);
  if (expected.ends_batch && outcome.fits) on_batch_end(outcome);
  return outcome;
}

void Answers::take(const Expected& expected, const Reply& reply, Outcome& outcome) {
  using Kind = Expected::Kind;
  switch (expected.kind) {
    case Kind::multi:
      return on_multi(reply, outcome);
    case Kind::queued_row:
    case Kind::queued_index:
      return on_queued(expected, reply, outcome);
    case Kind::exec:
      return on_exec(reply, outcome);
    case Kind::row:
    case Kind::index:
      return on_result(expected, reply, outcome);
    case Kind::discard:
      return;
    case Kind::read:
      outcome.is_read = true;
      if (reply.is_error()) (void)refusal(reply, outcome);
      return;
  }
}

void Answers::on_multi(const Reply& reply, Outcome& outcome) {
  transaction_ = {};
  if (!reply.is_error()) {
    outcome.fits = reply.is(Reply::Type::status);
    return;
  }
  const auto error = refusal(reply, outcome);
  transaction_.refused = true;
  batches_.front().clean = false;
  // noperm and other are permanent refusals of MULTI. After any other error the next batch tries MULTI again.
  plain_ = plain_ || error == Errc::noperm || error == Errc::other;
}

void Answers::on_queued(const Expected& expected, const Reply& reply, Outcome& outcome) {
  if (transaction_.refused) return on_result(expected, reply, outcome);  // executed without the MULTI
  if (reply.is_error()) {
    on_result(expected, reply, outcome);
    if (expected.kind != Expected::Kind::queued_row) return;
    // Redis refused to queue the command and has not executed it. So even WRONGTYPE is no fact about the key.
    batches_.front().clean = false;
    refuse(row(expected.row), classify(reply.text()), reply.text());
    return;
  }
  outcome.fits = reply.is(Reply::Type::status) && reply.text() == "QUEUED";
  if (outcome.fits) transaction_.queued.push_back(expected);
}

// Handles the reply to a command that was executed or refused.
void Answers::on_result(const Expected& expected, const Reply& reply, Outcome& outcome) {
  if (expected.kind == Expected::Kind::row && row(expected.row).looks) return on_fields(row(expected.row), reply);
  std::error_code error;
  if (reply.is_error()) {
    error = refusal(reply, outcome);
  } else if (!reply.is(Reply::Type::integer)) {
    outcome.fits = false;
    return;
  }
  const bool is_index = expected.kind == Expected::Kind::index || expected.kind == Expected::Kind::queued_index;
  if (is_index) {
    if (error) {
      ++index_failures_;
      batches_.front().clean = false;
      outcome.index_refusal = reply.text();
    }
    return;
  }
  Row& answered = row(expected.row);
  // A key that is not a hash contains nothing of ours, so its erase() succeeds and leaves the key as it is.
  if (answered.is_erase && error == Errc::wrongtype) error.clear();
  if (error) batches_.front().clean = false;
  if (error) refuse(answered, error, reply.text());
  --answered.unanswered;
  if (answered.unanswered == 0 && expected.kind == Expected::Kind::row) answered.done = true;
}

void Answers::on_fields(Row& erased, const Reply& reply) {
  erased.looks = false;
  --erased.unanswered;
  for (std::size_t i = 0; reply.is(Reply::Type::array) && i < reply.size(); ++i) {
    const std::string_view name = reply[i].text();
    if (std::find(own_fields.begin(), own_fields.end(), name) == own_fields.end()) erased.others.emplace_back(name);
  }
}

void Answers::on_exec(const Reply& reply, Outcome& outcome) {
  if (transaction_.refused) return;  // "ERR EXEC without MULTI"
  if (reply.is(Reply::Type::array)) {
    outcome.fits = reply.size() == transaction_.queued.size();
    for (std::size_t i = 0; i < reply.size() && outcome.fits; ++i) on_result(transaction_.queued[i], reply[i], outcome);
    return;
  }
  if (!reply.is_error()) {
    outcome.fits = false;
    return;
  }
  (void)refusal(reply, outcome);
  // Some servers other than Redis refuse EXEC and stay in the MULTI.
  outcome.stuck = !is_exec_abort(reply.text());
  plain_ = true;
  batches_.front().clean = false;
  for (const Expected& queued : transaction_.queued) {
    if (queued.kind != Expected::Kind::queued_row) continue;
    refuse(row(queued.row), portsync::Errc::try_again, reply.text());
  }
}

void Answers::on_batch_end(Outcome& outcome) {
  const SentBatch batch = batches_.front();
  batches_.pop_front();
  for (RowId id = first_row_; id < batch.end; ++id) row(id).done = true;
  if (batch.has_index && batch.clean) plain_ = false;
  outcome.batch_since = batch.since;
}

bool Answers::take_result(Row& taken) {
  if (rows_.empty() || !rows_.front().done) return false;
  taken = std::move(rows_.front());
  rows_.pop_front();
  ++first_row_;
  return true;
}

void Answers::on_closed() {
  for (Row& row : rows_) row.done = row.done || row.error;
  const auto unknown = std::remove_if(rows_.begin(), rows_.end(), [](const Row& row) { return !row.done; });
  rows_.erase(unknown, rows_.end());
  first_unsent_row_ = end();
  expected_.clear();
  batches_.clear();
  transaction_ = {};
}

}  // namespace portsync::redis
