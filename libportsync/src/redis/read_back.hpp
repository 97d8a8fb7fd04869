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

// What a glob of Redis (SCAN MATCH) takes literally.
[[nodiscard]] std::string escape_glob(std::string_view text);

// Reads the rows of the table, or of some ports: the index first, then an HMGET of our fields for each row, pipelined,
// a bounded number at a time. Rows are looked for with SCAN, never KEYS. Pure: takes answers, adds requests, tells rows
// one by one. What is refused is not taken for absent: see StoredRow.
class ReadBack {
 public:
  static constexpr std::size_t max_outstanding = 1024;
  static constexpr std::size_t max_rows = std::size_t{1} << 20U;   // of one read-back: more is not a table of ports
  static constexpr std::size_t max_scans = std::size_t{1} << 20U;  // a cursor that never ends

  //   none      nothing to tell
  //   row       row() was found
  //   ended     complete, or failed with error()
  //   nonsense  the answer is not one to what was asked
  enum class Step : std::uint8_t { none, row, ended, nonsense };

  explicit ReadBack(const StateSinkOptions& options) : options_(options) {}

  [[nodiscard]] bool active() const noexcept { return active_; }
  // `try_index`: a write to the index was refused; it is only taken for good when one that changes nothing is not.
  void begin(Scope scope, const std::vector<std::string_view>& ports, bool try_index = false);
  // The connection is gone: no answers will come.
  void abort() noexcept;

  // Adds the requests that are due, or tells what needs no further answer. Call until it says none.
  [[nodiscard]] Step advance(CommandBuffer& out);
  // The answer to the oldest request that has none.
  [[nodiscard]] Step on_reply(const Reply& reply);

  // Valid until the next call.
  [[nodiscard]] StoredRow row() const noexcept { return {port_, &fields_, owner(), unread_field_, readable_}; }
  // After ended: why it failed, and in which words of Redis, with the key.
  [[nodiscard]] std::error_code error() const noexcept { return error_; }
  [[nodiscard]] const std::string& error_text() const noexcept { return error_text_; }
  // After ended: how many rows could not be read and what was said of the first; "" = all could.
  [[nodiscard]] std::string unread_rows() const;
  // After ended: what was said of the index; "" = it could be read.
  [[nodiscard]] const std::string& index_refusal() const noexcept { return index_refusal_; }
  // Read-backs that the index was refused to: the rows were then told without their entries.
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
  std::size_t stale_ = 0;  // requests of a read-back that has failed: their answers mean nothing any more
  std::deque<Request> requests_;
  std::string prefix_;  // of a row's key
  std::string pattern_;
  std::string cursor_;     // the next SCAN's; "" = no more
  bool scanning_ = false;  // a SCAN is outstanding
  std::size_t scans_ = 0;
  bool ask_index_ = false;
  bool try_index_ = false;
  std::unordered_set<std::string> seen_;                   // ports that have been wanted
  std::deque<std::string> wanted_;                         // to be asked for
  std::deque<std::string> asked_;                          // outstanding
  std::deque<std::string> index_wanted_;                   // Scope::listed: to be asked for
  std::deque<std::string> index_asked_;                    // outstanding
  std::map<std::string, std::string, std::less<>> index_;  // entries whose row has not been told
  std::error_code failure_;                                // to be told
  std::error_code error_;
  std::string error_text_;
  std::string index_refusal_;
  std::string row_refusal_;  // of the first row that could not be read
  std::size_t unread_rows_ = 0;
  std::uint64_t index_failures_ = 0;
  std::string port_;
  std::string entry_;
  std::vector<std::pair<std::string_view, std::string_view>> fields_;
  std::string_view unread_field_;
  bool readable_ = true;
};

}  // namespace portsync::redis
