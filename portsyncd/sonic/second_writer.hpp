// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <portsync/health_monitor.hpp>
#include <portsync/redis/connection_options.hpp>
#include <portsync/redis/database.hpp>
#include <string>

#include "loop/event_loop.hpp"

namespace portsyncd {

// Checks periodically whether another program writes the same rows: another portsyncd of this kind, found by its client
// name, or SONiC's own portsyncd, found by the row that it leaves in WARM_RESTART_TABLE. Logs a second writer and
// reports it to health. Has a connection only during a check.
class SecondWriter final : private portsync::redis::Database::Observer {
 public:
  struct Settings {
    portsync::redis::ConnectionOptions state_db;
    std::string separator;
    std::string client_name_prefix;  // of every portsyncd of this kind; ours begin with state_db.client_name
    bool look_for_sonic = true;      // false where this process takes the place of SONiC's own portsyncd
  };

  SecondWriter(EventLoop& loop, portsync::HealthMonitor& monitor, Settings settings);

  // Checks again at once if a second writer was reported, because it may have ended.
  void look_again();

 private:
  void on_open() override;
  void on_closed(std::error_code error) override;

  void look();
  void found(const std::string& writer);
  void close_later();

  EventLoop& loop_;
  portsync::HealthMonitor& monitor_;
  const Settings settings_;
  std::unique_ptr<portsync::redis::Database> database_;
  std::optional<EventLoop::Watch> watch_;
  std::string other_;     // found by this check
  bool failed_ = false;   // this check could not list the clients
  bool refused_ = false;  // Redis refused a command of the previous check
  std::string suspect_;   // found by the previous check
  std::string writer_;    // as reported last
};

}  // namespace portsyncd
