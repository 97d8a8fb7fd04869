// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <portsync/redis/database.hpp>
#include <portsync/redis/table_subscriber.hpp>
#include <portsync/redis/tables.hpp>
#include <string>
#include <string_view>

#include "log/log.hpp"
#include "loop/event_loop.hpp"

namespace portsyncd {

// Converts the name of a SONiC level (EMERG, ALERT, CRIT, ERROR, WARN, NOTICE, INFO, DEBUG) to our level.
[[nodiscard]] std::optional<log::Level> parse_sonic_level(std::string_view name) noexcept;

// Follows LOGGER|portsyncd of CONFIG_DB, which swssloglevel(1) writes. Adds SONiC's defaults for missing fields.
class SonicLogger final : private portsync::redis::Database::Observer,
                          private portsync::redis::TableSubscriber::Observer {
 public:
  struct Handlers {
    std::function<void(log::Level level)> level;
    std::function<void(const std::string& output)> output;  // SYSLOG, STDOUT or STDERR
  };

  // Throws std::system_error.
  SonicLogger(EventLoop& loop, const portsync::redis::ConnectionOptions& config_db, std::string separator,
              Handlers handlers);

  // Calls the handlers again with the row's values.
  void take_again();

 private:
  void on_open() override { read(); }
  void on_closed(std::error_code) override {}
  void on_subscribed() override { read(); }
  void on_refused(std::error_code error) override;
  void on_event(std::string_view, std::string_view) override { read(); }

  void read();
  void take(const portsync::redis::FieldValues& fields);

  const std::string separator_;
  const Handlers handlers_;
  std::unique_ptr<portsync::redis::Database> database_;
  std::unique_ptr<portsync::redis::TableSubscriber> subscriber_;
  std::string level_;  // as passed to the handlers last
  std::string output_;
};

}  // namespace portsyncd
