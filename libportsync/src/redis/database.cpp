// SPDX-License-Identifier: Apache-2.0
#include <deque>
#include <portsync/error.hpp>
#include <portsync/redis/database.hpp>
#include <utility>

#include "os/process_guard.hpp"
#include "redis/connection.hpp"
#include "redis/error_reply.hpp"

namespace portsync::redis {
namespace {

Answer::Type type_of(const Reply& reply) noexcept {
  switch (reply.type()) {
    case Reply::Type::nil:
      return Answer::Type::nil;
    case Reply::Type::status:
      return Answer::Type::status;
    case Reply::Type::string:
      return Answer::Type::string;
    case Reply::Type::error:
      return Answer::Type::error;
    case Reply::Type::integer:
      return Answer::Type::integer;
    case Reply::Type::array:
      return Answer::Type::array;
  }
  return Answer::Type::nil;
}

// Copies a reply with its elements. ReplyReader limits the depth of this recursion.
Answer to_answer(const Reply& reply) {
  Answer answer{type_of(reply), std::string(reply.text()), reply.integer(), {}};
  answer.elements.reserve(reply.size());
  for (std::size_t i = 0; i < reply.size(); ++i) answer.elements.push_back(to_answer(reply[i]));
  return answer;
}

// Returns the name of a command for error texts, such as "HGETALL PORT|Ethernet0". Leaves out the second word of EVAL,
// which is the script: its error names the refused command.
std::string name_of(const std::vector<std::string_view>& words) {
  std::string name(words.front());
  if (words.size() > 1 && words.front() != "EVAL") (name += ' ') += words[1];
  return name;
}

class RedisDatabase final : public Database {
 public:
  explicit RedisDatabase(ConnectionOptions options) : connection_(std::move(options)) {}

  [[nodiscard]] int fd() const noexcept override { return connection_.fd(); }
  [[nodiscard]] std::error_code process() override;

  [[nodiscard]] std::error_code start(Observer& observer) override;
  [[nodiscard]] bool open() const noexcept override { return reported_open_ && connection_.open(); }
  [[nodiscard]] std::error_code command(const std::vector<std::string_view>& words, Handler handler) override;
  [[nodiscard]] const std::string& run_id() const noexcept override { return run_id_; }
  [[nodiscard]] const std::string& last_error() const noexcept override { return connection_.statistics().last_error; }
  void reopen() override;

 private:
  void on_opened();
  void on_reply(const Reply& reply);
  bool report_lost();
  bool report_closed();

  Connection connection_;
  Observer* observer_ = nullptr;
  struct Command {
    Handler handler;
    std::string name;  // with its key, for the text of a refusal
  };

  std::deque<Command> unanswered_;  // in the order of sending
  std::string run_id_;
  bool reported_open_ = false;
  bool closed_ = false;  // on_closed() is due, after the handlers of unanswered_
  std::error_code close_error_;
  os::ProcessFlag processing_;
};

std::error_code RedisDatabase::start(Observer& observer) {
  if (observer_ != nullptr) return portsync::Errc::already_started;
  observer_ = &observer;
  connection_.start();
  return {};
}

std::error_code RedisDatabase::command(const std::vector<std::string_view>& words, Handler handler) {
  if (words.empty()) return std::make_error_code(std::errc::invalid_argument);
  if (!open()) return portsync::Errc::not_open;
  unanswered_.push_back({std::move(handler), name_of(words)});
  try {
    connection_.commands().add(words);
  } catch (...) {
    unanswered_.pop_back();
    throw;
  }
  if (!processing_) connection_.wake();
  return {};
}

void RedisDatabase::reopen() {
  if (!open()) return;
  connection_.close(std::make_error_code(std::errc::operation_canceled), "closed to be opened again");
}

std::error_code RedisDatabase::process() {
  const os::ProcessGuard guard(processing_);
  Connection::Turn turn(connection_);
  while (turn.more()) {
    if (report_lost() || report_closed()) continue;
    switch (turn.next()) {
      case Connection::Event::none:
      case Connection::Event::message:  // cannot occur: not enabled
        return {};
      case Connection::Event::opened:
        on_opened();
        break;
      case Connection::Event::reply:
        on_reply(connection_.reply());
        break;
      case Connection::Event::closed:
        closed_ = true;
        close_error_ = connection_.error();
        reported_open_ = false;
        break;
    }
  }
  return {};
}

void RedisDatabase::on_opened() {
  run_id_ = connection_.identity().run_id;
  reported_open_ = true;
  observer_->on_open();
}

// Removes the handler first, so that after an exception the next reply still goes to the next handler.
void RedisDatabase::on_reply(const Reply& reply) {
  const auto [handler, name] = std::move(unanswered_.front());
  unanswered_.pop_front();
  std::error_code error;
  Answer answer;
  if (reply.is_error()) {
    const Errc code = classify(reply.text());
    error = code;
    if (ends_connection(code)) {
      connection_.close(error, reply.text());
    } else {
      connection_.note_error(error, name + ": " + std::string(reply.text()));
    }
  } else if (handler) {
    answer = to_answer(reply);
  }
  if (handler) handler(error, answer);
}

bool RedisDatabase::report_lost() {
  if (!closed_ || unanswered_.empty()) return false;
  const Handler handler = std::move(unanswered_.front().handler);
  unanswered_.pop_front();
  if (handler) handler(close_error_, {});
  return true;
}

bool RedisDatabase::report_closed() {
  if (!closed_) return false;
  closed_ = false;
  observer_->on_closed(close_error_);
  return true;
}

}  // namespace

Database::Observer::~Observer() = default;

std::unique_ptr<Database> make_database(ConnectionOptions options) {
  return std::make_unique<RedisDatabase>(std::move(options));
}

}  // namespace portsync::redis
