// SPDX-License-Identifier: Apache-2.0
#include <portsync/error.hpp>
#include <portsync/redis/table_subscriber.hpp>
#include <utility>

#include "os/process_guard.hpp"
#include "redis/checked_table.hpp"
#include "redis/connection.hpp"
#include "redis/error_reply.hpp"
#include "redis/read_back.hpp"

namespace portsync::redis {
namespace {

class RedisTableSubscriber final : public TableSubscriber {
 public:
  explicit RedisTableSubscriber(TableSubscriberOptions options)
      : options_(checked_table(std::move(options))),
        prefix_("__keyspace@" + std::to_string(options_.connection.database) + "__:" + options_.table +
                options_.separator),
        connection_(options_.connection) {
    connection_.expect_messages();
  }

  [[nodiscard]] int fd() const noexcept override { return connection_.fd(); }
  [[nodiscard]] std::error_code process() override;

  [[nodiscard]] std::error_code start(Observer& observer) override;
  void stop() override;
  [[nodiscard]] const std::string& last_error() const noexcept override { return connection_.statistics().last_error; }

 private:
  void subscribe();
  void on_reply(const Reply& reply);
  void on_message(const Reply& message);
  void on_refused(const Reply& reply);
  void give_up();

  const TableSubscriberOptions options_;
  const std::string prefix_;  // the prefix of the channels' names
  Connection connection_;
  Observer* observer_ = nullptr;  // nullptr: stopped
  std::size_t awaited_ = 0;       // outstanding replies to the subscriptions
  std::string refusal_;           // as it was reported; "" = the latest subscription was not refused
  os::ProcessFlag processing_;
};

std::error_code RedisTableSubscriber::start(Observer& observer) {
  if (observer_ != nullptr) return portsync::Errc::already_started;
  observer_ = &observer;
  connection_.start();
  return {};
}

void RedisTableSubscriber::stop() {
  observer_ = nullptr;
  connection_.stop();
}

std::error_code RedisTableSubscriber::process() {
  const os::ProcessGuard guard(processing_);
  Connection::Turn turn(connection_);
  while (turn.more()) {
    switch (turn.next()) {
      case Connection::Event::none:
        return {};
      case Connection::Event::opened:
        subscribe();
        break;
      case Connection::Event::reply:
        on_reply(connection_.reply());
        break;
      case Connection::Event::message:
        on_message(connection_.reply());
        break;
      case Connection::Event::closed:
        break;
    }
  }
  return {};
}

// Sends one command for each name, so that each command has one reply.
void RedisTableSubscriber::subscribe() {
  CommandBuffer& out = connection_.commands();
  if (options_.names.empty()) out.add({"PSUBSCRIBE", escape_glob(prefix_) + "*"});
  for (const std::string& name : options_.names) out.add({"SUBSCRIBE", prefix_ + name});
  awaited_ = out.commands();
}

void RedisTableSubscriber::on_reply(const Reply& reply) {
  if (reply.is_error()) return on_refused(reply);
  const std::string_view expected = options_.names.empty() ? "psubscribe" : "subscribe";
  if (reply.size() != 3 || reply[0].text() != expected) return give_up();
  if (--awaited_ > 0) return;
  refusal_.clear();
  observer_->on_subscribed();
}

// Closes the connection. The next one, after the pause, tries again, because an error may pass (LOADING, NOPERM).
void RedisTableSubscriber::on_refused(const Reply& reply) {
  const std::error_code error = classify(reply.text());
  const bool is_new = refusal_ != reply.text();
  refusal_ = reply.text();
  connection_.close(error, reply.text());
  if (is_new) observer_->on_refused(error);
}

// Ignores messages before the last reply, because the observer reads the table after that.
void RedisTableSubscriber::on_message(const Reply& message) {
  const std::size_t channel = options_.names.empty() ? 2 : 1;  // a pmessage begins with its pattern
  if (message.size() != channel + 2) return give_up();
  std::string_view name = message[channel].text();
  if (!name.starts_with(prefix_)) return give_up();
  name.remove_prefix(prefix_.size());
  if (awaited_ == 0 && !name.empty()) observer_->on_event(name, message[channel + 1].text());
}

void RedisTableSubscriber::give_up() {
  connection_.close(Errc::protocol, "a reply that does not fit the command");
}

}  // namespace

TableSubscriber::Observer::~Observer() = default;
void TableSubscriber::Observer::on_refused(std::error_code /*error*/) {}

std::unique_ptr<TableSubscriber> make_table_subscriber(TableSubscriberOptions options) {
  return std::make_unique<RedisTableSubscriber>(std::move(options));
}

}  // namespace portsync::redis
