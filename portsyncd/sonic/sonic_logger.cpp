// SPDX-License-Identifier: Apache-2.0
#include "sonic/sonic_logger.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace portsyncd {
namespace {

using portsync::redis::FieldValues;

constexpr const char* table = "LOGGER";
constexpr const char* own_row = "portsyncd";
constexpr const char* level_field = "LOGLEVEL";
constexpr const char* output_field = "LOGOUTPUT";

// swss-common's defaults.
constexpr const char* default_level = "NOTICE";
constexpr const char* default_output = "SYSLOG";

std::string value_of(const FieldValues& fields, std::string_view name) {
  const std::string* found = portsync::redis::find_field(fields, name);
  return found == nullptr ? std::string() : *found;
}

}  // namespace

// NOTICE becomes info, because portsyncd has no level between warning and info. The lines that SONiC would call notices
// are one at each start, and changes of health.
std::optional<log::Level> parse_sonic_level(std::string_view name) noexcept {
  using log::Level;
  constexpr std::array<std::pair<std::string_view, Level>, 8> levels{{{"EMERG", Level::critical},
                                                                      {"ALERT", Level::critical},
                                                                      {"CRIT", Level::critical},
                                                                      {"ERROR", Level::error},
                                                                      {"WARN", Level::warning},
                                                                      {"NOTICE", Level::info},
                                                                      {"INFO", Level::info},
                                                                      {"DEBUG", Level::debug}}};
  const auto* found =
      std::find_if(levels.begin(), levels.end(), [name](const auto& level) { return level.first == name; });
  if (found == levels.end()) return std::nullopt;
  return found->second;
}

SonicLogger::SonicLogger(EventLoop& loop, const portsync::redis::ConnectionOptions& config_db, std::string separator,
                         Handlers handlers)
    : separator_(std::move(separator)),
      handlers_(std::move(handlers)),
      database_(portsync::redis::make_database(config_db)),
      subscriber_(portsync::redis::make_table_subscriber({config_db, table, separator_, {own_row}})) {
  // The errors are ignored: process() never fails for good, and start() fails only if it is called twice.
  loop.on_readable(database_->fd(), [this] { std::ignore = database_->process(); });
  loop.on_readable(subscriber_->fd(), [this] { std::ignore = subscriber_->process(); });
  std::ignore = database_->start(*this);
  std::ignore = subscriber_->start(*this);
}

void SonicLogger::on_refused(std::error_code /*error*/) {
  log::warning("Cannot subscribe to LOGGER|portsyncd of CONFIG_DB: " + subscriber_->last_error());
}

void SonicLogger::take_again() {
  level_.clear();
  output_.clear();
  read();
}

void SonicLogger::read() {
  portsync::redis::TableReader reader(*database_, table, separator_);
  std::ignore = reader.read(own_row, [this](std::error_code error, const FieldValues& fields) {
    if (error) return log::warning("Cannot read LOGGER|portsyncd of CONFIG_DB: " + database_->last_error());
    take(fields);
  });
}

void SonicLogger::take(const FieldValues& fields) {
  std::string level = value_of(fields, level_field);
  std::string output = value_of(fields, output_field);
  FieldValues missing;
  if (level.empty()) missing.emplace_back(level_field, level = default_level);
  if (output.empty()) missing.emplace_back(output_field, output = default_output);
  if (!missing.empty()) {
    portsync::redis::TableWriter writer(*database_, table, separator_);
    std::ignore = writer.set(own_row, missing, [this](std::error_code error) {
      if (error) log::warning("Cannot write LOGGER|portsyncd of CONFIG_DB: " + database_->last_error());
    });
  }
  if (std::exchange(level_, level) != level) {
    if (const auto parsed = parse_sonic_level(level)) {
      handlers_.level(*parsed);
    } else {
      log::warning("LOGGER|portsyncd of CONFIG_DB: unknown LOGLEVEL " + level +
                   ", expected EMERG, ALERT, CRIT, ERROR, WARN, NOTICE, INFO or DEBUG; nothing has changed");
    }
  }
  if (std::exchange(output_, output) != output) handlers_.output(output);
}

}  // namespace portsyncd
