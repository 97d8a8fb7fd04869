// SPDX-License-Identifier: Apache-2.0
#include "sonic/sonic_mode.hpp"

#include <algorithm>
#include <chrono>
#include <portsync/netlink/link_control.hpp>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/exit_status.hpp"
#include "log/log.hpp"
#include "log/log_line.hpp"
#include "service/heartbeat.hpp"

namespace portsyncd {
namespace {

using portsync::Verdict;
using portsync::sonic::LoaderEvent;

constexpr std::size_t most_names = 16;  // of missing ports in one log line
constexpr std::chrono::seconds logger_interval{1};
constexpr const char* redis_restarted = "Redis was restarted; SONiC's other daemons do not reconnect: restart swss";

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most_names); ++i) text += (i == 0 ? "" : " ") + names[i];
  if (names.size() > most_names) text += " and " + std::to_string(names.size() - most_names) + " more";
  return text;
}

bool has_default_match(const Config& config) {
  return config.ports.match == Config::Ports().match;
}

// Returns a function that sets a link down. The function owns its socket, because it runs in a thread of its own and a
// call may outlive SonicMode.
std::function<std::error_code(std::int32_t ifindex)> link_setter() {
  return [control = std::make_shared<std::unique_ptr<portsync::netlink::LinkControl>>()](std::int32_t ifindex) {
    try {
      if (!*control) *control = std::make_unique<portsync::netlink::LinkControl>();
      return (*control)->set_down(ifindex);
    } catch (const std::system_error& error) {
      return error.code();
    }
  };
}

}  // namespace

SonicMode::SonicMode(EventLoop& loop, portsync::LinkSource& links, portsync::HealthMonitor& monitor, Settings settings)
    : loop_(loop), monitor_(monitor), settings_(std::move(settings)) {
  portsync::sonic::PortLoaderOptions options;
  options.config_db = database(settings_.databases.config_db);
  options.appl_db = database(settings_.databases.appl_db);
  options.state_db = database(settings_.databases.state_db);
  options.filter.match = settings_.config.ports.match;
  options.configured_names_match = has_default_match(settings_.config);
  options.loader_name_prefix = settings_.client_name_prefix;
  options.rows_are_stored = settings_.rows_are_stored;
  if (!settings_.on_host) {
    options.set_link_down = link_setter();
  }
  loader_ = portsync::sonic::make_port_loader(links, std::move(options));
}

portsync::sonic::DatabaseOptions SonicMode::database(const DatabaseAddress& address) const {
  return {connection_options(address, settings_.config.database, settings_.password, settings_.client_name),
          address.separator};
}

std::error_code SonicMode::start() {
  loop_.on_readable(loader_->fd(), [this] { process(); });
  start_heartbeat(loop_, settings_.config.sync.heartbeat_secs);
  set_condition(Verdict::degraded, "waiting for " + loader_->waiting_for());
  return loader_->start([this](const LoaderEvent& event) { on_event(event); });
}

void SonicMode::process() {
  if (const std::error_code error = loader_->process()) {
    log::error("Cannot go on: " + error.message());
    loop_.exit(exit_unavailable);
  }
}

void SonicMode::set_condition(Verdict verdict, const std::string& reason) {
  monitor_.set_condition("ports", {verdict, reason});
}

void SonicMode::on_event(const LoaderEvent& event) {
  const std::string text(event.text);
  switch (event.kind) {
    case LoaderEvent::Kind::waiting:
      log::info("Waiting for " + text);
      return set_condition(Verdict::degraded, "waiting for " + text);
    case LoaderEvent::Kind::started:
      return on_started(event);
    case LoaderEvent::Kind::link_set_down:
      return log::info(LogLine("Link of an earlier swss set down, ignored until it is removed")
                           .add("port", event.port)
                           .add("ifindex", event.ifindex)
                           .text());
    case LoaderEvent::Kind::links_kept:
      return log::warning(
          LogLine("Links of an earlier swss exist and were not set down: they count as the ports' links")
              .add("links", event.count)
              .add("port", event.port)
              .add("reason", event.error.message())
              .text());
    case LoaderEvent::Kind::running:
      set_condition(Verdict::healthy, "");
      if (!text.empty()) log::warning(text);
      return log::info(LogLine("PortConfigDone").add("start", to_string(event.mode)).add("count", event.count).text());
    case LoaderEvent::Kind::resumed:
      monitor_.set_condition("swss", {Verdict::healthy, ""});
      return set_condition(Verdict::healthy, "");
    case LoaderEvent::Kind::port_init_done:
      set_condition(Verdict::healthy, "");
      return log::info("PortInitDone");
    case LoaderEvent::Kind::ports_missing:
      return on_ports_missing(event);
    case LoaderEvent::Kind::refused:
      log::error(text);
      return set_condition(Verdict::degraded, text);
    case LoaderEvent::Kind::data_lost:
      return on_data_lost();
    case LoaderEvent::Kind::config_done_gone:
      return on_config_done_gone();
    case LoaderEvent::Kind::leftovers_ignored:
      return on_leftovers_ignored(event);
    case LoaderEvent::Kind::consumers_deaf:
      return on_consumers_deaf();
    case LoaderEvent::Kind::consumers_heard:
      log::info("A consumer of PORT_TABLE has subscribed since Redis was restarted: swss was restarted, too");
      return monitor_.set_condition("redis restart", {Verdict::healthy, ""});
    case LoaderEvent::Kind::subscription_refused:
      return log::warning(text + ": ports that appear there are found by reading, up to a minute late");
    case LoaderEvent::Kind::names_added:
      return on_names_added(event);
    case LoaderEvent::Kind::another_loader:
      log::error("Another portsyncd loads these ports (" + text +
                 "): this one exits, because two would overwrite each other's rows; stop the other one first");
      return loop_.exit(exit_unavailable);
  }
}

void SonicMode::on_started(const LoaderEvent& event) {
  log::info(LogLine("Ports are configured in CONFIG_DB")
                .add("start", to_string(event.mode))
                .add("ports", event.count)
                .text());
  started_ = true;
  follow_logger();
}

void SonicMode::on_names_added(const LoaderEvent& event) {
  if (!event.ports->empty()) log::info("Ports of CONFIG_DB that ports.match does not match: " + join(*event.ports));
  settings_.match_also(*event.ports);
}

// Reports the missing ports for as long as orchagent waits for them.
void SonicMode::on_ports_missing(const LoaderEvent& event) {
  std::string text = std::to_string(event.ports->size()) + " of " + std::to_string(event.count) +
                     " ports have no netdev, or are not in APPL_DB: " + join(*event.ports);
  portsync::PortFilter filter{settings_.config.ports.match, std::nullopt};
  const bool any_name = has_default_match(settings_.config);
  if (any_name) filter.also = {event.ports->begin(), event.ports->end()};
  const auto left_out = std::find_if(event.ports->begin(), event.ports->end(),
                                     [&filter](const std::string& name) { return !filter.matches_name(name); });
  if (left_out != event.ports->end()) {
    text += (any_name ? "; no port can be called " : "; ports.match leaves out ") + *left_out;
  }
  log::warning("PortInitDone is held back: " + text);
  set_condition(Verdict::degraded, text);
}

void SonicMode::on_data_lost() {
  const std::string text =
      server_name(settings_.databases.appl_db) + " was restarted and has lost APPL_DB, PortConfigDone with it";
  if (!settings_.on_host) {
    log::error(text + ": ending, so that swss starts anew as a whole");
    return loop_.exit(exit_temporary);
  }
  log::error(text + ": restart swss, and then portsyncd");
  set_condition(Verdict::unhealthy, text + "; restart swss, and then portsyncd");
}

// Begins again on a host, because portsyncd is not restarted with swss there, and swss waits for the ports.
void SonicMode::on_config_done_gone() {
  const std::string text = "PortConfigDone is gone from APPL_DB: swss was started anew";
  if (settings_.on_host) {
    log::warning(text + "; beginning again");
    return settings_.begin_again();
  }
  const std::string advice = text + "; restart it as a whole";
  log::warning(advice);
  monitor_.set_condition(
      "swss", {Verdict::unhealthy, advice});  // a separate condition, so that events of ports do not replace it
}

// Removes the rows of the leftovers. No link belongs to a port now, because swss makes the new links later.
void SonicMode::on_leftovers_ignored(const LoaderEvent& event) {
  log::info(std::to_string(event.count) +
            " leftovers of an earlier swss are ignored until they are removed; their rows are removed");
  settings_.remove_rows();
}

void SonicMode::on_consumers_deaf() {
  log::error(redis_restarted);
  monitor_.set_condition("redis restart", {Verdict::degraded, redis_restarted});
  if (settings_.config.sonic.redis_restart != "end") return;
  if (settings_.on_host) {
    return log::warning("sonic.redis_restart = \"end\" has no effect under systemd: an end restarts portsyncd alone");
  }
  end_is_due_ = true;
  end_when_rows_are_right();
}

void SonicMode::end_when_rows_are_right() {
  if (!settings_.rows_are_stored()) return;
  log::error("Redis was restarted: every row is right; ending, so that swss starts anew as a whole");
  loop_.exit(exit_temporary);
}

void SonicMode::on_log_reset() {
  if (logger_) logger_->take_again();
}

// Follows LOGGER|portsyncd of CONFIG_DB. Ignores its destination if logging.target is configured, or on a host, where
// the journal has the log.
void SonicMode::follow_logger() {
  const bool output_is_free = settings_.config.logging.target == "auto" && !settings_.on_host;
  const auto set_output = [output_is_free](const std::string& output) {
    if (!output_is_free) return;
    try {
      log::open({output == "SYSLOG" ? "syslog" : "stderr", ""});
    } catch (const std::runtime_error& error) {
      log::warning(std::string(error.what()) + "; the log stays where it is");
    }
  };
  // Logs the change while the more verbose of the two levels is in effect, so that the line appears.
  const auto set_level = [](log::Level level) {
    if (level == log::level()) return;
    const std::string text = std::string("Log level ") + to_string(level) + ", by LOGGER|portsyncd of CONFIG_DB";
    const bool quieter = level > log::level();
    if (quieter) log::info(text);
    log::set_level(level);
    if (!quieter) log::info(text);
  };
  const DatabaseAddress& config_db = settings_.databases.config_db;
  try {
    logger_ = std::make_unique<SonicLogger>(loop_, database(config_db).connection, config_db.separator,
                                            SonicLogger::Handlers{set_level, set_output});
  } catch (const std::system_error& error) {  // no descriptor: the ports matter more
    log::warning(std::string("Cannot follow LOGGER|portsyncd of CONFIG_DB, trying again: ") + error.what());
    loop_.after(logger_interval, [this] { follow_logger(); });
  }
}

}  // namespace portsyncd
