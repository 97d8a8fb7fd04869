// SPDX-License-Identifier: Apache-2.0
#include "app.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <portsync/json_lines_sink.hpp>
#include <portsync/netlink/link_source.hpp>
#include <portsync/redis/key_reader.hpp>
#include <portsync/redis/state_sink.hpp>
#include <tuple>
#include <utility>

#include "base/exit_status.hpp"
#include "config/reload.hpp"
#include "log/log.hpp"
#include "log/log_line.hpp"
#include "os/system.hpp"

namespace portsyncd {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds stop_limit = 5s;
constexpr seconds default_audit_interval = 60s;
constexpr seconds statistics_interval = 60s;
constexpr seconds databases_interval = 1s;
constexpr seconds namespace_interval = 1s;
constexpr seconds flush_interval = 1s;  // between attempts to log or report what was held back

// Returns the beginning of a client name. An empty `mode` means all modes.
std::string client_name_prefix(const std::string& mode) {
  return "portsyncd-" + mode + (mode.empty() ? "" : "-");
}

// Adds a random number, because processes in two containers may have the same pid.
std::string make_client_name(const Config& config) {
  char random[9] = "";
  std::snprintf(random, sizeof random, "%08x", os::random_number());
  return client_name_prefix(config.sync.mode) + std::to_string(os::process_id()) + "-" + random;
}

portsync::netlink::Options netlink_options(const Config& config) {
  portsync::netlink::Options options;
  options.receive_buffer_bytes = static_cast<std::size_t>(config.netlink.receive_buffer_bytes);
  return options;
}

portsync::HealthOptions health_options(const Config& config) {
  portsync::HealthOptions options;
  options.max_stall = seconds(config.health.max_stall_seconds);
  options.max_latency = microseconds(config.performance.max_latency_us);
  options.min_success_rate = config.performance.min_success_rate;
  options.max_failure_rate = config.health.max_failure_rate_percent;
  options.min_sync_rate = config.health.min_port_sync_rate;
  return options;
}

// Limits the hold to half of max_latency_us, because a longer hold alone could exceed the latency limit of a row.
microseconds effective_hold(const Config::Performance& performance) {
  return std::min<microseconds>(milliseconds(performance.batch_timeout_ms),
                                microseconds(performance.max_latency_us / 2));
}

// Returns "SIGHUP of uid=0 pid=4711".
std::string text_of(const char* signal, const EventLoop::Sender& sender) {
  return LogLine(std::string(signal) + " of").add("uid", sender.uid).add("pid", sender.pid).text();
}

void log_hold(const Config::Performance& performance) {
  const auto hold = effective_hold(performance);
  if (hold == milliseconds(performance.batch_timeout_ms)) return;
  log::info(
      LogLine("performance.batch_timeout_ms is held to half of max_latency_us").add("hold_us", hold.count()).text());
}

}  // namespace

App::App(const LoadedConfig& loaded, const RestartMarker& restart_marker, const NetworkNamespace& network_namespace,
         LoadConfig load, Output output)
    : config_(loaded.config),
      databases_(loaded.databases),
      description_(loaded.description),
      password_(loaded.password),
      client_name_(make_client_name(config_)),
      load_(std::move(load)),
      output_(output),
      filter_{config_.ports.match, std::nullopt},
      restart_marker_(restart_marker),
      network_namespace_(network_namespace),
      event_log_(microseconds(config_.performance.max_latency_us), seconds(config_.database.retry_interval_secs)),
      report_(os::now()) {
  connect_signals();
  make_port_reader();
  source_ = portsync::netlink::make_link_source(netlink_options(config_));
  monitor_ = portsync::make_health_monitor(health_options(config_));
  make_sonic_mode();
  sync_ = std::make_unique<portsync::Synchronizer>(sonic_ ? sonic_->links() : *source_, synchronizer_options());
  make_sink();
  know_ifindexes();
  make_control();
  monitor_->set_listener([this](const auto& before, const auto& health) { on_health(before, health); });
  sync_->set_health_monitor(*monitor_);
  sync_->set_listener([this](const portsync::SyncEvent& event) { on_event(event); });
}

void App::make_sink() {
  if (output_ == Output::json_lines) {
    sink_ = portsync::make_json_lines_sink({});
    return sync_->add_sink(*sink_, portsync::json_lines_projection(), "standard output");
  }
  const auto options = redis_options();
  sink_ = portsync::redis::make_state_sink(options);
  sync_->add_sink(*sink_, portsync::redis::make_projection(options), server_name(databases_.state_db));
}

portsync::redis::ConnectionOptions App::connection(const DatabaseAddress& address) const {
  return connection_options(
      address, config_.database, [this] { return password_; }, client_name_);
}

// In sonic mode, erases the whole key. xcvrd and teammgrd depend on the DEL of a key, and on a complete row when the
// ifindex is new.
portsync::redis::StateSinkOptions App::redis_options() const {
  portsync::redis::StateSinkOptions options;
  options.connection = connection(databases_.state_db);
  options.separator = databases_.state_db.separator;
  options.index = config_.sync.port_index;
  if (sonic_) options.erase = portsync::redis::EraseMode::whole_key;
  return options;
}

void App::make_sonic_mode() {
  if (config_.sync.mode != "sonic" || output_ != Output::redis) return;
  sonic_ = std::make_unique<SonicMode>(
      loop_, *source_, *monitor_,
      SonicMode::Settings{databases_, config_, [this] { return password_; }, client_name_, client_name_prefix("sonic"),
                          notifier_.managed(), [this] { return rows_are_stored(); },
                          [this] { std::ignore = sync_->resync(true); }, [this] { begin_again(); },
                          [this](const auto& names) { match_also(names); }});
}

// In sonic mode each port of CONFIG_DB is one, whatever its name ("Recirc0"), unless the operator has set ports.match.
void App::match_also(const std::vector<std::string>& names) {
  filter_.also = {names.begin(), names.end()};
  sync_->set_options(synchronizer_options());
}

void App::begin_again() {
  begin_again_ = true;
  loop_.exit(exit_clean);
}

bool App::rows_are_stored() const {
  return sync_->all_stored();
}

// Only SONiC's files are read each second. The operator's file is loaded again once they have changed, as by a restart.
bool App::databases_have_changed() {
  if (!description_.has_changed()) return false;
  const LoadedConfig wanted = load_();
  if (any_error(wanted.problems) || !wanted.databases_unknown.empty()) return false;
  description_ = wanted.description;
  return !(wanted.databases == databases_);
}

// Returns whether the databases are in use: a row is stored, or is as it should be; in sonic mode, the ports are
// loaded.
bool App::databases_are_in_use() const {
  if (sonic_) return sonic_->started();
  const portsync::SynchronizerStatistics done = sync_->statistics();
  return done.writes + done.erases > 0 || (done.ports > 0 && sync_->synchronized());
}

// Checks SONiC's files again until the databases are in use. SONiC may write them late and writes them in place, so
// until then they may have named the wrong server.
void App::look_at_databases_later() {
  if (output_ != Output::redis || config_.database.sonic_db_config.empty()) return;
  loop_.after(databases_interval, [this] {
    if (stopping_ || databases_are_in_use()) return;
    if (!databases_have_changed()) return look_at_databases_later();
    log::info("The databases are described anew: beginning again");
    begin_again();
  });
}

void App::keep_management_ports() {
  if (!sonic_ || !config_.sonic.mgmt_port) return;
  const DatabaseAddress& state_db = databases_.state_db;
  auto options = connection(state_db);
  options.client_name += "-mgmt";
  management_ports_ = std::make_unique<ManagementPorts>(loop_, *monitor_, std::move(options), state_db.separator);
}

// Reports when the network namespace has lost its name, because no other program then sees the links of the rows.
// A process without CAP_SYS_ADMIN cannot enter the new namespace.
void App::watch_network_namespace() {
  if (!network_namespace_.has_name()) return;
  loop_.every(namespace_interval, [this] {
    portsync::Health condition{portsync::Verdict::healthy, ""};
    if (network_namespace_.has_lost_its_name()) {
      condition = {portsync::Verdict::degraded,
                   network_namespace_.path() +
                       " is another network namespace than the one of this process, or is gone: restart portsyncd"};
    }
    monitor_->set_condition("network namespace", condition);
  });
}

// Loads the known ifindexes. If a netdev was recreated while portsyncd was not running, its row must be written with
// DEL and HSET even if it looks the same.
void App::know_ifindexes() {
  if (!sonic_) return;
  try {
    known_ifindexes_ = std::make_unique<KnownIfindexes>(make_runtime_directory() + "/ifindexes", surroundings());
    sync_->set_known_ifindexes(known_ifindexes_->all());
  } catch (const std::system_error& error) {
    log::warning(
        std::string("No file of ifindexes, so a netdev recreated while portsyncd is stopped goes unnoticed: ") +
        error.what());
  }
}

void App::note_ifindexes(const portsync::SyncEvent& event) {
  using Kind = portsync::SyncEvent::Kind;
  if (event.kind == Kind::row_written && event.link != nullptr) {
    known_ifindexes_->set(event.port, event.link->ifindex);
  } else if (event.kind == Kind::row_erased) {
    known_ifindexes_->remove(event.port);
  } else if (event.kind == Kind::synchronized || event.kind == Kind::audit_completed) {
    for (const portsync::PortStatus& port : sync_->ports()) {
      if (port.in_sync) known_ifindexes_->set(port.link->name, port.link->ifindex);
    }
  }
}

void App::look_for_second_writer() {
  if (output_ != Output::redis) return;
  const DatabaseAddress& state_db = databases_.state_db;
  second_writer_ = std::make_unique<SecondWriter>(
      loop_, *monitor_,
      SecondWriter::Settings{connection(state_db), state_db.separator, client_name_prefix(""), sonic_ == nullptr});
}

void App::make_control() {
  const bool to_redis = output_ == Output::redis;
  control_ = std::make_unique<Control>(
      Control::Daemon{*sync_, *monitor_, [this] { return statistics(); }, [this] { return reload(); },
                      to_redis ? server_name(databases_.state_db) : "standard output", config_.sync.mode});
}

// Starts the metrics. If the address cannot be listened on, portsyncd runs without metrics, because the rows matter
// more.
void App::serve_metrics() {
  const std::string& listen = config_.metrics.listen;
  if (listen.empty()) return;
  try {
    metrics_ = std::make_unique<MetricsExporter>(listen, *control_, loop_);
    log::info("Metrics are served at " + listen);
  } catch (const std::runtime_error& error) {
    log::warning("No metrics at " + listen + ": " + error.what());
  }
}

// Starts the control socket. If that fails, portsyncd runs without it, because only portsyncctl needs it.
void App::start_control_server() {
  try {
    const std::string path = make_runtime_directory() + "/" + control_socket_name;
    control_server_ = std::make_unique<ControlServer>(loop_, *control_, path);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::address_in_use) {
      return log::info(std::string("No control socket, portsyncctl cannot connect: ") + error.what());
    }
    log::warning(std::string("Another portsyncd answers to portsyncctl: ") + error.what());
  }
}

portsync::SynchronizerOptions App::synchronizer_options() const {
  portsync::SynchronizerOptions options;
  options.filter = filter_;
  options.max_event_queue = static_cast<std::size_t>(config_.performance.max_event_queue);
  options.max_hold = effective_hold(config_.performance);
  options.retry_interval = seconds(config_.database.retry_interval_secs);
  options.audit_interval = seconds(config_.sync.audit_interval_secs);
  options.full_audit_every = static_cast<std::uint32_t>(config_.sync.full_audit_every);
  options.replace_on_new_ifindex = sonic_ != nullptr;
  options.write_bounces = sonic_ != nullptr;
  options.ports_known = ports_known_;
  return options;
}

// With ports.scope = "configured" no link is a port before CONFIG_DB has been read.
void App::make_port_reader() {
  if (config_.ports.scope != "configured" || config_.sync.mode == "sonic") return;
  portsync::redis::KeyReaderOptions options;
  options.connection = connection(databases_.config_db);
  options.separator = databases_.config_db.separator;
  options.initialized_key = "CONFIG_DB_INITIALIZED";
  options.follow = true;
  port_reader_ = portsync::redis::make_key_reader(std::move(options));
  filter_.configured.emplace();
  ports_known_ = false;
}

void App::set_configured_ports(const portsync::redis::KeyReader::Names& names) {
  if (std::exchange(ports_known_, true) && filter_.configured == names) return;
  log::info(LogLine("Ports configured in CONFIG_DB").add("ports", names.size()).text());
  filter_.configured = names;
  sync_->set_options(synchronizer_options());
}

void App::connect_signals() {
  os::ignore_signal(SIGPIPE);
  os::ignore_signal(SIGXFSZ);  // writing a file that may not grow then fails with EFBIG
  for (const int number : {SIGTERM, SIGINT}) {
    loop_.on_signal(number, [this, number](const EventLoop::Sender& sender) { on_stop(number, sender); });
  }
  loop_.on_signal(SIGUSR1, [this](const auto&) { log_statistics(); });
  loop_.on_signal(SIGHUP,
                  [this](const EventLoop::Sender& sender) { (void)control_->reload({text_of("SIGHUP", sender)}); });
}

std::optional<int> App::run() {
  const auto status = run_until_end();
  if (status) notifier_.status(last_words(*status));
  return status;
}

// Returns the status that systemd shows after the end. It replaces the health, which is not true any more.
std::string App::last_words(int status) const {
  const std::size_t pending = sync_->statistics().pending;
  const std::string rows = pending > 0 ? ": " + std::to_string(pending) + " rows not written" : "";
  if (status == exit_clean || status > exit_signal) return "Stopped" + rows;
  return "Failed: " + (failure_.empty() ? std::string(meaning_of(status)) : failure_);
}

void App::fail(std::string why) {
  log::error(why);
  failure_ = std::move(why);
  loop_.exit(exit_unavailable);
}

std::optional<int> App::run_until_end() {
  log_hold(config_.performance);
  serve_metrics();
  notifier_.status(to_string(monitor_->overall()));
  loop_.on_readable(sync_->fd(), [this] { on_readable(); });
  start_timers();
  std::error_code error = sync_->start();
  if (!error && sonic_) error = sonic_->start();
  if (!error) keep_management_ports();
  look_for_second_writer();
  look_at_databases_later();
  watch_network_namespace();
  if (error) {
    fail("Cannot start: " + error.message());
    return exit_unavailable;
  }
  log_receive_buffer();
  start_control_server();
  if (!start_port_reader()) return exit_unavailable;
  const std::string& dbus = config_.dbus.enabled;
  if (dbus != "false") dbus_service_ = std::make_unique<DbusService>(loop_, *control_, dbus);
  const int status = loop_.run();
  if (begin_again_) return std::nullopt;
  if (status == exit_clean) restart_marker_.stopped();
  return status;
}

// Starts to read the configured ports. Later readings find ports that are configured later.
bool App::start_port_reader() {
  if (!port_reader_) return true;
  loop_.on_readable(port_reader_->fd(), [this] { on_port_reader_readable(); });
  read_ports_later();
  if (const std::error_code error = port_reader_->start([this](const auto& names) { set_configured_ports(names); })) {
    fail("Cannot start: " + error.message());
    return false;
  }
  return true;
}

void App::read_ports_later() {
  const seconds interval(config_.sync.audit_interval_secs);
  loop_.after(interval > 0s ? interval : default_audit_interval, [this] {
    port_reader_->refresh();
    read_ports_later();
  });
}

void App::on_port_reader_readable() {
  if (const std::error_code error = port_reader_->process()) return fail("Cannot go on: " + error.message());
  if (std::string error = port_reader_->last_error(); error != port_reader_error_) {
    port_reader_error_ = std::move(error);
    const bool known = port_reader_error_.empty();
    if (!known) log::warning("Cannot read PORT of CONFIG_DB: " + port_reader_error_);
    portsync::Health condition{portsync::Verdict::healthy, ""};
    if (!known) {
      condition = {portsync::Verdict::degraded,
                   "PORT of CONFIG_DB cannot be read, the ports stay as they were: " + port_reader_error_};
    }
    monitor_->set_condition("configured ports", condition);
  }
}

void App::start_timers() {
  loop_.after(ServiceNotifier::time_until_ready(), [this] { report_ready(); });
  loop_.every(statistics_interval, [this] {
    log_statistics();
    report_.end_period(statistics(), os::now());
  });
  start_watchdog();
}

void App::start_watchdog() {
  const auto timeout = notifier_.watchdog_timeout();
  if (!timeout) return;
  warn_of_watchdog();
  ping_watchdog(*timeout);
}

void App::warn_of_watchdog() const {
  if (!notifier_.watchdog_timeout() || config_.health.enable_watchdog) return;
  log::warning(
      "health.enable_watchdog is false but the unit has WatchdogSec=: pinging all the same, or systemd "
      "would kill a healthy daemon; remove WatchdogSec= from the unit instead");
}

void App::ping_watchdog(std::chrono::microseconds timeout) {
  notifier_.ping_watchdog();
  restart_marker_.alive();
  const auto third = std::chrono::duration_cast<milliseconds>(timeout / 3);
  const auto period = std::min<milliseconds>(seconds(config_.health.watchdog_interval_secs), third);
  loop_.after(std::max(period, 1ms), [this, timeout] { ping_watchdog(timeout); });
}

void App::on_readable() {
  if (metrics_) metrics_->update_later();
  if (const std::error_code error = sync_->process()) return fail("Cannot go on: " + error.message());
  if (sonic_) sonic_->rows_may_be_stored();
  if (!ready_ && sync_->synchronized()) report_ready();
  if (event_log_.holds_back() || notifier_.has_unsent()) flush_later();
  if (stopping_ && sync_->drained()) finish();
}

void App::on_event(const portsync::SyncEvent& event) {
  using Kind = portsync::SyncEvent::Kind;
  if (event.kind == Kind::sink_closed && output_ == Output::json_lines) {  // a reader does not come back
    const bool gone = event.error == std::errc::broken_pipe || event.error == std::errc::connection_reset;
    return fail((gone ? "Nothing reads standard output any more: " : "Standard output cannot be written: ") +
                event.error.message());
  }
  if (known_ifindexes_) note_ifindexes(event);
  event_log_.on_event(event, os::now());
  control_->on_event(event);
}

void App::on_health(const portsync::Health& before, const portsync::Health& health) {
  notifier_.status(to_string(health));
  event_log_.on_health(before, health, ready_ ? EventLog::Phase::running : EventLog::Phase::starting, os::now());
  control_->on_health(before, health);
}

void App::on_stop(int signal_number, const EventLoop::Sender& sender) {
  if (stopping_) {
    log::warning(LogLine("Second signal: ending at once").add("pending", sync_->statistics().pending).text());
    return loop_.exit(exit_signal + signal_number);
  }
  log::info(text_of(signal_number == SIGTERM ? "SIGTERM" : "SIGINT", sender) + ": stopping");
  stopping_ = true;
  notifier_.stopping();
  if (sonic_) sonic_->stop();
  sync_->stop();
  loop_.after(stop_limit, [this] { finish(); });
  if (sync_->drained()) finish();
}

// Applies the new configuration completely, or changes nothing if it has an error.
Control::Outcome App::reload() {
  if (stopping_) return ControlError{ControlError::Kind::not_possible, "portsyncd is stopping"};
  const LoadedConfig wanted = load_();
  log::info("Reload: reading " + wanted.file +
            (wanted.file_found ? "" : ", which does not exist: every key has its default"));
  if (ready_) notifier_.reloading();
  log_problems(wanted.problems);
  Control::Outcome outcome;
  if (const auto* error = first_error(wanted.problems)) {
    reopen_log();
    log::error("Reload refused: nothing has changed; portsyncd --check-config shows the same errors");
    outcome = ControlError{ControlError::Kind::failed, "nothing has changed: " + error->text};
  } else {
    outcome = apply_reload(wanted);
  }
  if (ready_) notifier_.ready(to_string(monitor_->overall()));
  if (notifier_.has_unsent()) flush_later();
  return outcome;
}

Control::Outcome App::apply_reload(const LoadedConfig& wanted) {
  ReloadPlan plan = plan_reload(config_, wanted.config);
  const Config::Logging& logging = plan.next.logging;
  if (logging.target == config_.logging.target && logging.file == config_.logging.file) {
    reopen_log();
  } else {
    try {
      log::open({logging.target, logging.file});
    } catch (const std::runtime_error& error) {
      log::error(std::string("Reload refused: nothing has changed. ") + error.what());
      return ControlError{ControlError::Kind::failed, std::string("nothing has changed: ") + error.what()};
    }
  }
  config_ = std::move(plan.next);
  filter_.match = config_.ports.match;
  sync_->set_options(synchronizer_options());
  event_log_.set_max_latency(microseconds(config_.performance.max_latency_us));
  monitor_->set_options(health_options(config_));
  if (second_writer_) second_writer_->look_again();
  // Logs the changes while the more verbose of the old and the new level is in effect.
  const log::Level level = log::parse_level(config_.logging.level).value_or(log::Level::info);
  log::set_level(std::min(level, log::level()));
  if (take_password(wanted)) plan.applied.emplace_back("the password in database.redis_password_file");
  for (const std::string& change : plan.applied) log::info("Reload: applied " + change);
  for (const std::string& change : plan.needs_restart) log::warning("Reload: needs a restart: " + change);
  if (plan.applied.empty() && plan.needs_restart.empty()) log::info("Reload: nothing has changed");
  if (!plan.applied.empty()) {
    log_hold(config_.performance);
    warn_of_watchdog();
  }
  log::set_level(level);
  if (sonic_) sonic_->on_log_reset();
  return std::nullopt;
}

// Stores the new password for later connections. Open connections stay: they have authenticated with the old one.
bool App::take_password(const LoadedConfig& wanted) {
  const bool same_file = wanted.config.database.redis_password_file == config_.database.redis_password_file;
  if (!same_file || wanted.password == password_) return false;
  password_ = wanted.password;
  return true;
}

// Closes a log file that logrotate has moved away and opens a new one, even if the reload is refused.
void App::reopen_log() const {
  try {
    log::open({config_.logging.target, config_.logging.file});
  } catch (const std::runtime_error& error) {
    log::warning(std::string(error.what()) + "; the log stays where it is");
  }
}

void App::report_ready() {
  if (std::exchange(ready_, true)) return;
  notifier_.ready(to_string(monitor_->overall()));
  if (notifier_.has_unsent()) flush_later();
  if (!sync_->synchronized()) log::warning("Ready, but not synchronized yet; Health " + to_string(monitor_->overall()));
}

void App::flush_later() {
  if (std::exchange(flush_timer_set_, true)) return;
  loop_.after(flush_interval, [this] {
    flush_timer_set_ = false;
    event_log_.flush();
    notifier_.flush();
    if (notifier_.has_unsent()) flush_later();
  });
}

void App::log_statistics() {
  if (log::enabled(log::Level::info)) log::info(report_.line(statistics(), os::now()));
}

void App::log_receive_buffer() const {
  const std::size_t effective = source_->statistics().receive_buffer_bytes;
  LogLine line("Netlink socket is open");
  line.add("receive_buffer_bytes", effective);
  if (std::cmp_greater_equal(effective, config_.netlink.receive_buffer_bytes)) return log::info(line.text());
  line.add("wanted", config_.netlink.receive_buffer_bytes);
  // If the operator did not set the size, a smaller buffer is no fault, because portsyncd is as healthy without the
  // capability. If the operator set it, a smaller buffer is a warning.
  const bool asked_for = config_.netlink.receive_buffer_bytes != Config().netlink.receive_buffer_bytes;
  log::write(asked_for ? log::Level::warning : log::Level::info,
             line.text() + "; CAP_NET_ADMIN or a higher net.core.rmem_max would give it");
}

void App::finish() {
  event_log_.flush();
  log_statistics();
  const std::size_t pending = sync_->statistics().pending;
  if (pending > 0) log::warning(LogLine("Rows not written").add("pending", pending).text());
  log::info("Stopped");
  loop_.exit(exit_clean);
}

Statistics App::statistics() const {
  return {sync_->statistics(), source_->statistics(), sink_->statistics(), event_log_.slow_rows()};
}

}  // namespace portsyncd
