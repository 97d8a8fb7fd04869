// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <portsync/pollable.hpp>
#include <portsync/state_sink.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "redis/batch.hpp"
#include "redis/resp.hpp"

namespace portsync::redis {

// Matches each reply to its command, and turns the replies to batches into one result for each row, in the order of the
// rows.
//
// The reply to EXEC contains the results of a batch in a MULTI. If Redis refuses a command while it queues it, EXEC
// fails for the whole MULTI (EXECABORT). That row then gets its own error, and the other rows get try_again. After
// that, batches are sent without MULTI until a batch with an index has succeeded without any refusal. So Redis writes
// all that it does not refuse. A failing index never fails a row.
//
// Pure: no socket, no clock.
class Answers {
 public:
  struct Row {
    std::string port;
    Revision revision = 0;
    std::error_code error;
    std::string text;            // the error in Redis' words
    std::size_t unanswered = 0;  // number of commands without a reply
    bool is_erase = false;
    bool looks = false;               // its first command lists the key's fields, and may fail
    bool done = false;                // the result can be taken
    std::vector<std::string> others;  // the listed fields that are not ours
  };

  // The meaning of one reply.
  struct Outcome {
    bool fits = true;       // false: the reply does not fit the command
    bool is_read = false;   // it belongs to the read-back
    bool stuck = false;     // the server may still be in the MULTI
    std::error_code error;  // the last refusal in the reply
    std::string_view text;  // its text, borrowed from the reply
    std::string_view index_refusal;        // why the index was not written, borrowed from the reply
    std::optional<TimePoint> batch_since;  // if the reply ends a batch: when that was sent
  };

  // Returns the number of rows that were added and whose result has not been taken.
  [[nodiscard]] std::size_t rows() const noexcept { return rows_.size(); }
  Row& add(std::string_view port, Revision revision, bool is_erase);

  // To be called when the rows that were added since the last call have been sent with this layout.
  void on_batch_sent(const Batch::Layout& layout, TimePoint now);
  // The read-back has sent `count` requests, or a DISCARD has been sent, whose reply does not matter.
  void on_reads_sent(std::size_t count);
  void on_discard_sent();

  [[nodiscard]] Outcome on_reply(const Reply& reply);

  // Takes the result of the oldest row. Returns false if it is not known yet.
  [[nodiscard]] bool take_result(Row& row);

  // The connection is gone. Keeps the rows whose result is known, refusals included, and drops the others.
  void on_closed();
  void on_opened() noexcept { plain_ = false; }

  // Returns whether batches must be sent without MULTI.
  [[nodiscard]] bool plain() const noexcept { return plain_; }
  [[nodiscard]] std::uint64_t index_failures() const noexcept { return index_failures_; }

 private:
  using RowId = std::uint64_t;
  struct Expected {
    enum class Kind : std::uint8_t { multi, queued_row, queued_index, exec, row, index, discard, read };
    Kind kind = Kind::read;
    RowId row = 0;  // for queued_row and row
    bool ends_batch = false;
  };
  struct SentBatch {
    TimePoint since;
    RowId end = 0;  // the id after its last row
    bool has_index = false;
    bool clean = true;  // nothing was refused
  };
  // The MULTI whose replies are arriving.
  struct Transaction {
    bool refused = false;          // Redis refused the MULTI itself, so it executes the commands one by one
    std::vector<Expected> queued;  // the results that EXEC's reply will contain, in order
  };

  Row& row(RowId id) noexcept { return rows_[id - first_row_]; }
  [[nodiscard]] RowId end() const noexcept { return first_row_ + rows_.size(); }
  void take(const Expected& expected, const Reply& reply, Outcome& outcome);
  void on_multi(const Reply& reply, Outcome& outcome);
  void on_queued(const Expected& expected, const Reply& reply, Outcome& outcome);
  void on_exec(const Reply& reply, Outcome& outcome);
  void on_result(const Expected& expected, const Reply& reply, Outcome& outcome);
  static void on_fields(Row& erased, const Reply& reply);
  void on_batch_end(Outcome& outcome);

  std::deque<Row> rows_;
  RowId first_row_ = 0;
  RowId first_unsent_row_ = 0;
  std::deque<Expected> expected_;
  std::deque<SentBatch> batches_;
  Transaction transaction_;
  bool plain_ = false;
  std::uint64_t index_failures_ = 0;
};

}  // namespace portsync::redis
