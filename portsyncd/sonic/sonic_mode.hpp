// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <portsync/health_monitor.hpp>
#include <portsync/link_source.hpp>
#include <portsync/sonic/port_loader.hpp>
#include <string>

#include "config/databases.hpp"
#include "loop/event_loop.hpp"
#include "sonic/sonic_logger.hpp"

namespace portsyncd {

// sync.mode = "sonic": what portsyncd does beside the rows of STATE_DB, wired to the log, to health and to how
// the daemon ends.
class SonicMode {
 public:
  struct Settings {
    Databases databases;
    Config config;
    CurrentPassword password;
    std::string client_name;
    std::string client_name_prefix;  // which other loaders of these ports have too
    // systemd manages us on a host: no port is set down, and lost data is not a reason to exit.
    bool on_host = false;
    std::function<bool()> rows_are_stored;  // those of all links told
    // No link is a port's, and that is right: rows of links that are leftovers of an earlier swss are to go.
    std::function<void()> remove_rows;
    // While the start waits: whether SONiC's description of the databases says something else by now.
    std::function<bool()> databases_have_changed;
    std::function<void()> begin_again;  // ends the loop, so that the daemon is made anew
  };

  // `links` and `monitor` are borrowed. Throws std::system_error.
  SonicMode(EventLoop& loop, portsync::LinkSource& links, portsync::HealthMonitor& monitor, Settings settings);

  // For the Synchronizer, which goes before this does.
  [[nodiscard]] portsync::LinkSource& links() noexcept { return loader_->links(); }

  [[nodiscard]] std::error_code start();
  // Writes nothing from now on.
  void stop() { loader_->stop(); }

  // To be called after the Synchronizer has been processed.
  void rows_may_be_stored() {
    loader_->rows_may_be_stored();
    if (end_is_due_) end_when_rows_are_right();
  }
  // The log was set up anew, by the configuration alone.
  void on_log_reset();

 private:
  [[nodiscard]] portsync::sonic::DatabaseOptions database(const DatabaseAddress& address) const;
  void process();
  void on_event(const portsync::sonic::LoaderEvent& event);
  void on_started(const portsync::sonic::LoaderEvent& event);
  void on_ports_missing(const portsync::sonic::LoaderEvent& event);
  void on_data_lost();
  void on_config_done_gone();
  void on_leftovers_ignored(const portsync::sonic::LoaderEvent& event);
  void on_consumers_deaf();
  void end_when_rows_are_right();
  void follow_logger();
  void look_at_databases_later();
  void set_condition(portsync::Verdict verdict, const std::string& reason);

  EventLoop& loop_;
  portsync::HealthMonitor& monitor_;
  const Settings settings_;
  std::unique_ptr<portsync::sonic::PortLoader> loader_;
  std::unique_ptr<SonicLogger> logger_;
  bool started_ = false;
  bool end_is_due_ = false;  // sonic.redis_restart = "end": once the rows are right
};

}  // namespace portsyncd
