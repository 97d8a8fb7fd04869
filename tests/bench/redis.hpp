// SPDX-License-Identifier: Apache-2.0
// Redis as the bench uses it: blocking, over a unix socket. Throws std::runtime_error when an answer is an error or
// does not come.
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
constexpr int floor_db = 5;  // where the floors write, so that nobody takes their rows for the daemon's

// What a row must say: port, mtu, admin_status and netdev_oper_status.
struct Row {
  std::string port;
  std::string mtu;
  bool admin_up = false;
  bool oper_up = false;
};

class Redis {
 public:
  Redis(const std::string& socket_path, int database);

  // Sends nothing yet.
  void append(const std::vector<std::string_view>& words);
  // The answer to the oldest command: text, a number's digits, or an array's texts with spaces between.
  std::string answer();
  std::string operator()(const std::vector<std::string_view>& words);

  // Commands that the server has carried out for others than objects of this class.
  [[nodiscard]] std::uint64_t foreign_commands();
  // The server is another one and has counted nothing yet.
  static void forget_commands();
  [[nodiscard]] std::string version();

 private:
  friend class RowWatch;
  [[nodiscard]] std::string info(std::string_view section, std::string_view key);

  std::unique_ptr<redisContext, decltype(&::redisFree)> context_;
};

// Sees rows change, as any consumer of STATE_DB does, and reads them.
class RowWatch {
 public:
  RowWatch(const std::string& socket_path, int database);

  // Waits until the row has changed and the field has the value: when that was read. std::nullopt after 5 s.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> wait(std::string_view port, std::string_view field,
                                                                          std::string_view value);
  // Waits until all rows are as they must be: when the last change of one was seen. Throws after `limit`.
  std::chrono::steady_clock::time_point wait_equal(const std::vector<Row>& rows, std::chrono::milliseconds limit);
  // Forgets the changes seen so far.
  void discard();

 private:
  [[nodiscard]] std::optional<std::string> next_change(std::chrono::milliseconds limit);

  Redis subscriber_;
  Redis reader_;
};

// All rows are as they must be.
[[nodiscard]] bool rows_equal(Redis& redis, const std::vector<Row>& rows);

// The floor of storing: writes the rows, all in flight at once.
void write_rows(Redis& redis, const std::vector<Row>& rows);

[[nodiscard]] std::string key_of(std::string_view port);

}  // namespace portsync::bench
