// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <portsync/redis/state_sink.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include "redis/resp.hpp"

namespace portsync::redis {

// Escapes a text so that a glob of Redis (SCAN MATCH) matches it literally.
[[nodiscard]] std::string escape_glob(std::string_view text);

// Reads back the rows of the table, or of some ports: the index first, then an HMGET of our fields for each row,
// pipelined, a bounded number at a time. Finds rows with SCAN, never with KEYS. Pure: takes replies, adds requests,
// returns rows one by one. A row that Redis refuses to read does not count as absent: see StoredRow.
class ReadBack {
 public:
  static constexpr std::size_t max_outstanding = 1024;
  static constexpr std::size_t max_rows = std::size_t{1} << 20U;   // of one read-back: no table of ports is larger
  static constexpr std::size_t max_scans = std::size_t{1} << 20U;  // of one read-back; with more, the cursor never ends

  //   none      nothing to report
  //   row       row() was found
  //   ended     complete, or failed with error()
  //   nonsense  the reply does not fit the request
  enum class Step : std::uint8_t { none, row, ended, nonsense };

  explicit ReadBack(const StateSinkOptions& options) : options_(options) {}

  [[nodiscard]] bool active() const noexcept { return active_; }
  // `try_index`: a write to the index was refused earlier. Tries one that changes nothing. The index counts as working
  // only if that succeeds.
  void begin(Scope scope, const std::vector<std::string_view>& ports, bool try_index = false);
  // The connection is gone, and no replies will arrive.
  void abort() noexcept;

  // Adds the requests that are due, or returns a step that needs no further reply. Call it until it returns none.
  [[nodiscard]] Step advance(CommandBuffer& out);
  // Handles the reply to the oldest unanswered request.
  [[nodiscard]] Step on_reply(const Reply& reply);

  // Valid until the next call.
  [[nodiscard]] StoredRow row() const noexcept { return {port_, &fields_, owner(), unread_field_, readable_}; }
  // After ended: why it failed; the text has the key and Redis' words.
  [[nodiscard]] std::error_code error() const noexcept { return error_; }
  [[nodiscard]] const std::string& error_text() const noexcept { return error_text_; }
  // After ended: how many rows could not be read, and Redis' words about the first one; "" = all could be read.
  [[nodiscard]] std::string unread_rows() const;
  // After ended: Redis' refusal of the index; "" = none.
  [[nodiscard]] const std::string& index_refusal() const noexcept { return index_refusal_; }
  // Returns how often a read-back was refused the index. The rows were then reported without their entries.
  [[nodiscard]] std::uint64_t index_failures() const noexcept { return index_failures_; }

 private:
  enum class Request : std::uint8_t { index_try, index_all, index_some, scan, row };

  [[nodiscard]] StoredRow::Owner owner() const noexcept;
  void request(Request request);
  void ask_index_some(CommandBuffer& out);
  void ask_scan(CommandBuffer& out);
  void ask_row(CommandBuffer& out);
  Step on_index_all(const Reply& reply);
  Step on_index_some(const Reply& reply);
  Step on_scan(const Reply& reply);
  Step on_row(const Reply& reply);
  Step fail(Errc code, std::string_view key, std::string_view text);
  Step on_index_refused(const Reply& reply);
  void want(std::string_view port);
  void take_index_entry();
  [[nodiscard]] bool complete() const noexcept;

  const StateSinkOptions& options_;
  bool active_ = false;
  std::size_t stale_ = 0;  // outstanding requests of a failed read-back, whose replies are ignored
  std::deque<Request> requests_;
  std::string prefix_;  // the prefix of a row's key
  std::string pattern_;
  std::string cursor_;     // of the next SCAN; "" = no further one
  bool scanning_ = false;  // a SCAN is outstanding
  std::size_t scans_ = 0;
  bool ask_index_ = false;
  bool try_index_ = false;
  std::unordered_set<std::string> seen_;                   // ports that were added to wanted_
  std::deque<std::string> wanted_;                         // rows to request
  std::deque<std::string> asked_;                          // rows whose reply is outstanding
  std::deque<std::string> index_wanted_;                   // Scope::listed: index entries to request
  std::deque<std::string> index_asked_;                    // index entries whose reply is outstanding
  std::map<std::string, std::string, std::less<>> index_;  // entries whose row has not been reported
  std::error_code failure_;                                // to be reported by Step::ended
  std::error_code error_;
  std::string error_text_;
  std::string index_refusal_;
  std::string row_refusal_;  // Redis' words about the first row that could not be read
  std::size_t unread_rows_ = 0;
  std::uint64_t index_failures_ = 0;
  std::string port_;
  std::string entry_;
  std::vector<std::pair<std::string_view, std::string_view>> fields_;
  std::string_view unread_field_;
  bool readable_ = true;
};

}  // namespace portsync::redis
