// SPDX-License-Identifier: Apache-2.0
#include <portsync/error.hpp>
#include <portsync/redis/database.hpp>
#include <portsync/redis/key_reader.hpp>
#include <portsync/redis/tables.hpp>
#include <tuple>
#include <utility>

#include "os/process_guard.hpp"
#include "redis/checked_table.hpp"

namespace portsync::redis {
namespace {

class RedisKeyReader final : public KeyReader, private Database::Observer {
 public:
  explicit RedisKeyReader(KeyReaderOptions options)
      : options_(checked_table(std::move(options))),
        database_(make_database(options_.connection)),
        table_(*database_, options_.table, options_.separator) {}

  [[nodiscard]] int fd() const noexcept override { return database_->fd(); }

  [[nodiscard]] std::error_code start(Handler handler) override {
    if (handler_) return portsync::Errc::already_started;
    if (!handler) return std::make_error_code(std::errc::invalid_argument);
    handler_ = std::move(handler);
    return database_->start(*this);
  }

  // Without a connection the next one's reading serves, and one that has not been sent yet serves, too.
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
    unsent_ = false;
    return database_->process();
  }

 private:
  void on_open() override {
    reading_ = false;
    read();
  }

  // What made us give it up says more than that we did.
  void on_closed(std::error_code error) override {
    reading_ = false;
    if (error != std::errc::operation_canceled) error_ = database_->last_error();
  }

  void read() {
    wanted_ = false;
    unsent_ = true;
    reading_ = !table_.names([this](std::error_code error, const Names& names) { on_names(error, names); });
  }

  // An error reply is one that may pass (LOADING): the next connection, after the pause, tries again.
  void on_names(std::error_code error, const Names& names) {
    reading_ = false;
    if (error) {
      error_ = error == Errc::protocol ? error.message() : database_->last_error();
      return database_->reopen();
    }
    error_.clear();
    if (wanted_) read();
    handler_(names);
  }

  const KeyReaderOptions options_;
  std::unique_ptr<Database> database_;
  TableReader table_;
  Handler handler_;
  std::string error_;
  bool wanted_ = false;  // a reading, after the one under way
  bool reading_ = false;
  bool unsent_ = false;  // the one under way: process() has not been called since
  os::ProcessFlag processing_;
};

}  // namespace

std::unique_ptr<KeyReader> make_key_reader(KeyReaderOptions options) {
  return std::make_unique<RedisKeyReader>(std::move(options));
}

}  // namespace portsync::redis
