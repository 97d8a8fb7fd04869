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

// Knows what each answer is an answer to, and turns the answers to batches into one result per row, in the order of the
// rows.
//
// A batch in a MULTI is answered by EXEC. A command that is refused while it is queued takes the others of its MULTI
// with it (EXECABORT): the row has its own error, the others are to be tried again, and batches go without MULTI until
// one with an index has gone without any refusal. So whatever is refused, the rest is written. A failing index never
// fails a row.
//
// Pure: no socket, no clock.
class Answers {
 public:
  struct Row {
    std::string port;
    Revision revision = 0;
    std::error_code error;
    std::string text;            // of the error, in Redis' words
    std::size_t unanswered = 0;  // commands
    bool is_erase = false;
    bool looks = false;               // its first command lists the key's fields; an error of that is none of the row
    bool done = false;                // to be told
    std::vector<std::string> others;  // of these fields, the ones that are not ours
  };

  // What came of one answer.
  struct Outcome {
    bool fits = true;       // false: the answer is not one to the command
    bool is_read = false;   // it belongs to the read-back
    bool stuck = false;     // the server may still be in the MULTI
    std::error_code error;  // the (last) refusal in it
    std::string_view text;  // its text, borrowed from the answer
    bool index_written = false;
    std::string_view index_refusal;        // why it was not, borrowed from the answer
    std::optional<TimePoint> batch_since;  // it ends the batch that was sent then
  };

  // Rows that were collected or sent and whose result has not been taken.
  [[nodiscard]] std::size_t rows() const noexcept { return rows_.size(); }
  Row& add(std::string_view port, Revision revision, bool is_erase);

  // The rows added since the last time have been sent like this.
  void on_batch_sent(const Batch::Layout& layout, TimePoint now);
  // The same number of requests of the read-back, or one request whose answer does not matter.
  void on_reads_sent(std::size_t count);
  void on_discard_sent();

  [[nodiscard]] Outcome on_reply(const Reply& reply);

  // The result of the oldest row, once it is there.
  [[nodiscard]] bool take_result(Row& row);

  // The connection is gone: rows that are known to be refused stay to be told, the others are forgotten.
  void on_closed();
  void on_opened() noexcept { plain_ = false; }

  // Batches are to go without MULTI.
  [[nodiscard]] bool plain() const noexcept { return plain_; }
  [[nodiscard]] std::uint64_t index_failures() const noexcept { return index_failures_; }

 private:
  using RowId = std::uint64_t;
  struct Expected {
    enum class Kind : std::uint8_t { multi, queued_row, queued_index, exec, row, index, discard, read };
    Kind kind = Kind::read;
    RowId row = 0;  // queued_row, row
    bool ends_batch = false;
  };
  struct SentBatch {
    TimePoint since;
    RowId end = 0;  // of its rows
    bool has_index = false;
    bool clean = true;  // nothing was refused
  };
  // The MULTI whose answers are coming in.
  struct Transaction {
    bool refused = false;          // the MULTI itself: what follows is executed one by one
    std::vector<Expected> queued;  // what EXEC will answer, in order
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
