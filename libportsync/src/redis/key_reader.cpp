// SPDX-License-Identifier: Apache-2.0
#include <portsync/redis/key_reader.hpp>
#include <stdexcept>
#include <utility>

#include "os/process_guard.hpp"
#include "redis/connection.hpp"
#include "redis/error_reply.hpp"
#include "redis/read_back.hpp"

namespace portsync::redis {
namespace {

// As the state sink's: more is not a table of ports, or a cursor that never ends.
constexpr std::size_t max_names = ReadBack::max_rows;
constexpr std::size_t max_scans = ReadBack::max_scans;

KeyReaderOptions checked(KeyReaderOptions options) {
  if (options.table.empty()) throw std::invalid_argument("redis: table is empty");
  if (options.separator.empty()) throw std::invalid_argument("redis: separator is empty");
  return options;
}

class RedisKeyReader final : public KeyReader {
 public:
  explicit RedisKeyReader(KeyReaderOptions options)
      : options_(checked(std::move(options))), connection_(options_.connection) {}

  [[nodiscard]] int fd() const noexcept override { return connection_.fd(); }

  [[nodiscard]] std::error_code start(Handler handler) override {
    if (handler_) return portsync::Errc::already_started;
    if (!handler) return std::make_error_code(std::errc::invalid_argument);
    handler_ = std::move(handler);
    connection_.start();
    return {};
  }

  void refresh() override {
    wanted_ = true;
    if (!processing_) connection_.wake();
  }

  [[nodiscard]] std::string last_error() const override { return error_; }

  [[nodiscard]] std::error_code process() override {
    if (!handler_) return portsync::Errc::not_started;
    const os::ProcessGuard guard(processing_);
    Connection::Turn turn(connection_);
    while (turn.more()) {
      if (wanted_ && !reading_ && connection_.open()) begin();
      switch (turn.next()) {
        case Connection::Event::none:
        case Connection::Event::message:  // not expected: there are none
          return {};
        case Connection::Event::opened:
          wanted_ = true;
          break;
        case Connection::Event::reply:
          on_reply(connection_.reply());
          break;
        case Connection::Event::closed:
          reading_ = false;
          error_ = connection_.statistics().last_error;
          break;
      }
    }
    return {};
  }

 private:
  void begin() {
    wanted_ = false;
    reading_ = true;
    scans_ = 0;
    names_.clear();
    ask("0");
  }

  void ask(std::string_view cursor) {
    const std::string pattern = escape_glob(options_.table + options_.separator) + "*";
    connection_.commands().add({"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"});
  }

  // An error reply is one that may pass (LOADING): the next connection, after the pause, tries again.
  void on_reply(const Reply& reply) {
    if (reply.is_error()) return connection_.close(classify(reply.text()), reply.text());
    if (reply.size() != 2 || !reply[0].is(Reply::Type::string) || reply[0].text().empty() ||
        !reply[1].is(Reply::Type::array)) {
      return connection_.close(Errc::protocol, "an answer that does not fit the command");
    }
    const std::string prefix = options_.table + options_.separator;
    const Reply keys = reply[1];
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::string_view key = keys[i].text();
      if (key.size() > prefix.size() && key.starts_with(prefix)) names_.emplace(key.substr(prefix.size()));
    }
    if (names_.size() > max_names || ++scans_ > max_scans) {
      return connection_.close(Errc::protocol, "a table without an end");
    }
    if (reply[0].text() != "0") return ask(reply[0].text());
    reading_ = false;
    error_.clear();
    handler_(names_);
  }

  const KeyReaderOptions options_;
  Connection connection_;
  Handler handler_;
  Names names_;  // of the reading under way, and then the latest
  std::size_t scans_ = 0;
  std::string error_;
  bool wanted_ = false;  // a reading, after the one under way
  bool reading_ = false;
  bool processing_ = false;
};

}  // namespace

std::unique_ptr<KeyReader> make_key_reader(KeyReaderOptions options) {
  return std::make_unique<RedisKeyReader>(std::move(options));
}

}  // namespace portsync::redis
