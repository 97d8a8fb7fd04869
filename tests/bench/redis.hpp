// SPDX-License-Identifier: Apache-2.0
// A Redis client for the bench: blocking, over a unix socket. Throws std::runtime_error if a reply is an error or does
// not come.
#pragma once

#include <hiredis/hiredis.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace portsync::bench {

constexpr int state_db = 6;
constexpr int floor_db = 5;  // where the floors write, so that their rows do not count as the daemon's

// The wanted contents of a row.
struct Row {
  std::string port;
  std::string mtu;
  bool admin_up = false;
  bool oper_up = false;
};

class Redis {
 public:
  Redis(const std::string& socket_path, int database);

  // Queues a command, and sends nothing yet.
  void append(const std::vector<std::string_view>& words);
  // Returns the reply to the oldest command: text, the digits of a number, or an array's texts separated by spaces.
  std::string answer();
  std::string operator()(const std::vector<std::string_view>& words);

  // Returns how many commands the server has executed for clients other than objects of this class.
  [[nodiscard]] std::uint64_t foreign_commands();
  // To be called when the server was replaced by one that has counted nothing yet.
  static void forget_commands();
  [[nodiscard]] std::string version();

 private:
  friend class RowWatch;
  [[nodiscard]] std::string info(std::string_view section, std::string_view key);

  std::unique_ptr<redisContext, decltype(&::redisFree)> context_;
};

// Follows changes of rows as any consumer of STATE_DB does, and reads them.
class RowWatch {
 public:
  RowWatch(const std::string& socket_path, int database);

  // Waits until the row has changed and the field has the value. Returns when that was read; std::nullopt after 5 s.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> wait(std::string_view port, std::string_view field,
                                                                          std::string_view value);
  // Waits until all rows are as wanted. Returns when the last change of one was seen. Throws after `limit`.
  std::chrono::steady_clock::time_point wait_equal(const std::vector<Row>& rows, std::chrono::milliseconds limit);
  // Forgets the changes seen so far.
  void discard();

 private:
  [[nodiscard]] std::optional<std::string> next_change(std::chrono::milliseconds limit);

  Redis subscriber_;
  Redis reader_;
};

// Returns whether all rows are as wanted.
[[nodiscard]] bool rows_equal(Redis& redis, const std::vector<Row>& rows);

// The floor of storing: writes all rows in one pipeline.
void write_rows(Redis& redis, const std::vector<Row>& rows);

[[nodiscard]] std::string key_of(std::string_view port);

}  // namespace portsync::bench
