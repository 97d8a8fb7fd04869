// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <portsync/error.hpp>
#include <portsync/redis/database.hpp>
#include <portsync/redis/key_reader.hpp>
#include <portsync/redis/table_subscriber.hpp>
#include <portsync/redis/tables.hpp>
#include <utility>

#include "os/event_set.hpp"
#include "os/process_guard.hpp"
#include "redis/checked_table.hpp"

namespace portsync::redis {
namespace {

constexpr std::uint32_t database_id = 1;
constexpr std::uint32_t subscriber_id = 2;
// A program that loads a configuration writes hundreds of rows in a series. Read once after this time.
constexpr std::chrono::milliseconds events_together{100};

std::unique_ptr<TableSubscriber> make_follower(const KeyReaderOptions& options) {
  if (!options.follow) return nullptr;
  return make_table_subscriber({options.connection, options.table, options.separator, {}});
}

class RedisKeyReader final : public KeyReader, private Database::Observer, private TableSubscriber::Observer {
 public:
  explicit RedisKeyReader(KeyReaderOptions options)
      : options_(checked_table(std::move(options))),
        database_(make_database(options_.connection)),
        subscriber_(make_follower(options_)),
        table_(*database_, options_.table, options_.separator) {
    events_.add(database_->fd(), EPOLLIN, database_id);
    if (subscriber_) events_.add(subscriber_->fd(), EPOLLIN, subscriber_id);
  }

  [[nodiscard]] int fd() const noexcept override { return events_.fd(); }

  [[nodiscard]] std::error_code start(Handler handler) override {
    if (handler_) return portsync::Errc::already_started;
    if (!handler) return std::make_error_code(std::errc::invalid_argument);
    handler_ = std::move(handler);
    if (subscriber_) {
      if (const std::error_code error = subscriber_->start(*this)) return error;
    }
    return database_->start(*this);
  }

  // Reads again. Does nothing without a connection, because the next one begins with a read. Does nothing more if the
  // current read has not been sent yet.
  void refresh() override {
    if (!reading_) {
      read();
    } else if (!unsent_) {
      wanted_ = true;
    }
  }

  [[nodiscard]] std::string last_error() const override { return error_; }

  [[nodiscard]] std::error_code process() override {
    if (!handler_) return portsync::Errc::not_started;
    const os::ProcessGuard guard(processing_);
    try {
      return process_all();
    } catch (...) {
      events_.arm(TimePoint{});  // the next process() continues
      throw;
    }
  }

 private:
  std::error_code process_all() {
    epoll_event ready[os::EventSet::max_events];
    std::ignore = events_.poll(ready);
    unsent_ = false;
    std::error_code error = database_->process();
    if (!error && subscriber_) error = subscriber_->process();
    if (read_at_ && os::now() >= *read_at_) {
      read_at_.reset();
      refresh();
    }
    events_.arm(read_at_);
    return error;
  }

  void read_within(std::chrono::milliseconds time) {
    const TimePoint when = os::now() + time;
    if (!read_at_ || when < *read_at_) read_at_ = when;
  }

  void on_open() override {
    reading_ = false;
    read();
  }

  // Keeps the earlier error if we closed the connection ourselves, because it contains the reason. Ignores an idle
  // close, because the connection opens again at once.
  void on_closed(std::error_code error) override {
    reading_ = false;
    if (error != std::errc::operation_canceled && error != Errc::idle) error_ = database_->last_error();
  }

  void on_subscribed() override { read_within({}); }
  void on_event(std::string_view, std::string_view) override { read_within(events_together); }

  void read() {
    wanted_ = false;
    unsent_ = true;
    reading_ = !if_initialized(
        [this] { return table_.names([this](auto error, const Names& names) { on_names(error, names); }); });
  }

  // Calls `next` if the database is initialized.
  template <typename Next>
  std::error_code if_initialized(Next next) {
    if (options_.initialized_key.empty()) return next();
    return database_->command({"GET", options_.initialized_key},
                              [this, next = std::move(next)](std::error_code error, const Answer& answer) {
                                if (!error && answer.text == "1") error = next();
                                if (error) return fail(error);
                                if (answer.text != "1") not_known();
                              });
  }

  void on_names(std::error_code error, const Names& names) {
    if (!error) {
      error = if_initialized([this, names] {
        on_known(names);
        return std::error_code();
      });
    }
    if (error) fail(error);
  }

  void on_known(const Names& names) {
    reading_ = false;
    error_.clear();
    if (wanted_) read();
    handler_(names);
  }

  // Reads again later, because the rows may be incomplete: they are being loaded or replaced.
  void not_known() {
    reading_ = false;
    error_ = options_.initialized_key + " is not 1: it is being loaded, or has lost its data";
    read_within(options_.connection.retry_interval);
  }

  // Closes the connection. The next one, after the pause, tries again, because an error reply may pass (LOADING).
  void fail(std::error_code error) {
    reading_ = false;
    error_ = error == Errc::protocol ? error.message() : database_->last_error();
    database_->reopen();
  }

  const KeyReaderOptions options_;
  os::EventSet events_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<TableSubscriber> subscriber_;  // nullptr: no subscription
  TableReader table_;
  Handler handler_;
  std::string error_;
  std::optional<TimePoint> read_at_;
  bool wanted_ = false;  // read again after the current read
  bool reading_ = false;
  bool unsent_ = false;  // process() has not been called since the current read began
  os::ProcessFlag processing_;
};

}  // namespace

std::unique_ptr<KeyReader> make_key_reader(KeyReaderOptions options) {
  return std::make_unique<RedisKeyReader>(std::move(options));
}

}  // namespace portsync::redis
