// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <portsync/health_monitor.hpp>
#include <portsync/link_source.hpp>
#include <portsync/sonic/port_loader.hpp>
#include <string>
#include <vector>

#include "config/databases.hpp"
#include "loop/event_loop.hpp"
#include "sonic/sonic_logger.hpp"

namespace portsyncd {

// sync.mode = "sonic": the work of portsyncd beside the rows of STATE_DB. Connects the loader of the ports to the log,
// to health and to the daemon's end.
class SonicMode {
 public:
  struct Settings {
    Databases databases;
    Config config;
    CurrentPassword password;
    std::string client_name;
    std::string client_name_prefix;  // other loaders of these ports have the same prefix
    // systemd manages this process on a host. It then sets no port down, and does not exit when data is lost.
    bool on_host = false;
    std::function<bool()> rows_are_stored;  // the rows of all links reported so far
    // Removes the rows of links that are leftovers of an earlier swss. At that time no link belongs to a port, and that
    // is correct.
    std::function<void()> remove_rows;
    std::function<void()> begin_again;  // ends the loop, so that a new App is made
    // Receives the ports of CONFIG_DB that ports.match, which has its default, does not match. No link has passed yet.
    std::function<void(const std::vector<std::string>& names)> match_also;
  };

  // Borrows `links` and `monitor`. Throws std::system_error.
  SonicMode(EventLoop& loop, portsync::LinkSource& links, portsync::HealthMonitor& monitor, Settings settings);

  // Returns the source for the Synchronizer, which must be destroyed before this.
  [[nodiscard]] portsync::LinkSource& links() noexcept { return loader_->links(); }

  [[nodiscard]] std::error_code start();
  // Returns whether the loader has started to load the ports: the databases are the right ones.
  [[nodiscard]] bool started() const noexcept { return started_; }
  // Stops all writes.
  void stop() { loader_->stop(); }

  // Call it after the Synchronizer's process().
  void rows_may_be_stored() {
    loader_->rows_may_be_stored();
    if (end_is_due_) end_when_rows_are_right();
  }
  // Applies LOGGER|portsyncd again. Call it after the log was set up from the configuration alone.
  void on_log_reset();

 private:
  [[nodiscard]] portsync::sonic::DatabaseOptions database(const DatabaseAddress& address) const;
  void process();
  void on_event(const portsync::sonic::LoaderEvent& event);
  void on_started(const portsync::sonic::LoaderEvent& event);
  void on_names_added(const portsync::sonic::LoaderEvent& event);
  void on_ports_missing(const portsync::sonic::LoaderEvent& event);
  void on_data_lost();
  void on_config_done_gone();
  void on_leftovers_ignored(const portsync::sonic::LoaderEvent& event);
  void on_consumers_deaf();
  void end_when_rows_are_right();
  void follow_logger();
  void set_condition(portsync::Verdict verdict, const std::string& reason);

  EventLoop& loop_;
  portsync::HealthMonitor& monitor_;
  const Settings settings_;
  std::unique_ptr<portsync::sonic::PortLoader> loader_;
  std::unique_ptr<SonicLogger> logger_;
  bool started_ = false;
  bool end_is_due_ = false;  // sonic.redis_restart = "end": end when the rows are right
};

}  // namespace portsyncd
