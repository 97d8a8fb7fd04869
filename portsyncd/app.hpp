// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <portsync/health_monitor.hpp>
#include <portsync/link_source.hpp>
#include <portsync/redis/key_reader.hpp>
#include <portsync/state_sink.hpp>
#include <portsync/synchronizer.hpp>
#include <string>
#include <vector>

#include "base/runtime_directory.hpp"
#include "config/config.hpp"
#include "config/load_config.hpp"
#include "faces/control.hpp"
#include "faces/dbus/dbus_service.hpp"
#include "faces/metrics/metrics_exporter.hpp"
#include "faces/socket/control_server.hpp"
#include "log/event_log.hpp"
#include "log/statistics_report.hpp"
#include "loop/event_loop.hpp"
#include "service/network_namespace.hpp"
#include "service/restart_marker.hpp"
#include "service/service_notifier.hpp"
#include "sonic/known_ifindexes.hpp"
#include "sonic/management_ports.hpp"
#include "sonic/second_writer.hpp"
#include "sonic/sonic_mode.hpp"

namespace portsyncd {

// The daemon. Makes the library's objects from the configuration, connects them and drives them until a signal or an
// error ends it. The objects do the work; this class only connects them.
class App {
 public:
  enum class Output : std::uint8_t { redis, json_lines };

  using LoadConfig = std::function<LoadedConfig()>;

  // `restart_marker` and `network_namespace` are borrowed. They belong to the process, which may run one App after
  // another. `load` loads the configuration again for a reload. Throws std::system_error, which names what could not be
  // opened.
  App(const LoadedConfig& loaded, const RestartMarker& restart_marker, const NetworkNamespace& network_namespace,
      LoadConfig load, Output output);

  // Runs the loop and returns the process's exit status. Returns std::nullopt if the caller must load the configuration
  // again and make a new App from it.
  [[nodiscard]] std::optional<int> run();

 private:
  [[nodiscard]] std::optional<int> run_until_end();
  [[nodiscard]] std::string last_words(int status) const;
  void fail(std::string why);
  void make_port_reader();
  void make_sonic_mode();
  void match_also(const std::vector<std::string>& names);
  void begin_again();
  [[nodiscard]] bool rows_are_stored() const;
  [[nodiscard]] bool databases_have_changed();
  [[nodiscard]] bool databases_are_in_use() const;
  void look_at_databases_later();
  void keep_management_ports();
  void watch_network_namespace();
  void know_ifindexes();
  void note_ifindexes(const portsync::SyncEvent& event);
  void look_for_second_writer();
  [[nodiscard]] portsync::redis::ConnectionOptions connection(const DatabaseAddress& address) const;
  [[nodiscard]] portsync::redis::StateSinkOptions redis_options() const;
  void set_configured_ports(const portsync::redis::KeyReader::Names& names);
  void make_sink();
  void make_control();
  void serve_metrics();
  void start_control_server();
  [[nodiscard]] portsync::SynchronizerOptions synchronizer_options() const;
  void connect_signals();
  [[nodiscard]] bool start_port_reader();
  void start_timers();
  void start_watchdog();
  void ping_watchdog(std::chrono::microseconds timeout);
  void warn_of_watchdog() const;
  void read_ports_later();

  void on_readable();
  void on_port_reader_readable();
  void on_event(const portsync::SyncEvent& event);
  void on_health(const portsync::Health& before, const portsync::Health& now);
  void on_stop(int signal_number, const EventLoop::Sender& sender);
  Control::Outcome reload();
  Control::Outcome apply_reload(const LoadedConfig& wanted);
  [[nodiscard]] bool take_password(const LoadedConfig& wanted);
  void reopen_log() const;

  void report_ready();
  void flush_later();
  void log_statistics();
  void log_receive_buffer() const;
  void finish();

  [[nodiscard]] Statistics statistics() const;

  Config config_;
  const Databases databases_;
  SonicDescription description_;   // as it led to databases_
  std::string password_;           // as last read from its file
  const std::string client_name_;  // in Redis' CLIENT LIST; unique to this process
  const LoadConfig load_;
  const Output output_;
  portsync::PortFilter filter_;
  const RestartMarker& restart_marker_;
  const NetworkNamespace& network_namespace_;
  EventLoop loop_;
  ServiceNotifier notifier_;
  EventLog event_log_;
  StatisticsReport report_;
  // The Synchronizer borrows the objects before it, so it is destroyed before them.
  std::unique_ptr<portsync::redis::KeyReader> port_reader_;  // ports.scope = "configured"
  std::unique_ptr<portsync::HealthMonitor> monitor_;
  std::unique_ptr<portsync::LinkSource> source_;
  std::unique_ptr<SecondWriter> second_writer_;
  std::unique_ptr<KnownIfindexes> known_ifindexes_;    // nullptr: not sonic mode, or the file could not be opened
  std::unique_ptr<SonicMode> sonic_;                   // sync.mode = "sonic"
  std::unique_ptr<ManagementPorts> management_ports_;  // sonic.mgmt_port
  std::unique_ptr<portsync::StateSink> sink_;
  std::unique_ptr<portsync::Synchronizer> sync_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<ControlServer> control_server_;  // nullptr: no socket
  std::unique_ptr<DbusService> dbus_service_;      // nullptr: dbus.enabled is false
  std::unique_ptr<MetricsExporter> metrics_;       // nullptr: metrics.listen is empty or cannot be listened on
  std::string failure_;                            // why the daemon ends, for an error that a restart cannot fix
  std::string port_reader_error_;                  // as logged last
  bool ports_known_ = true;                        // false until CONFIG_DB has been read, if it must be
  bool ready_ = false;
  bool stopping_ = false;
  bool flush_timer_set_ = false;
  bool begin_again_ = false;  // after the loop has ended, make a new App
};

}  // namespace portsyncd
