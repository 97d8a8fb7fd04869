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

// Looks now and then whether somebody else keeps the same rows: another of our kind, by its client name, or SONiC's own
// portsyncd, by the row that it leaves in WARM_RESTART_TABLE. Says so in the log and in health. Has a connection only
// while it looks.
class SecondWriter final : private portsync::redis::Database::Observer {
 public:
  struct Settings {
    portsync::redis::ConnectionOptions state_db;
    std::string separator;
    std::string client_name_prefix;  // of all of our kind; our own names begin with the connection's
    bool look_for_sonic = true;      // not where we are what SONiC's own would be
  };

  SecondWriter(EventLoop& loop, portsync::HealthMonitor& monitor, Settings settings);

  // A second writer that was told may be gone by now.
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
  std::string other_;     // found by this look
  bool failed_ = false;   // it could not list the clients
  bool refused_ = false;  // the look before could not see all
  std::string suspect_;   // found by the look before
  std::string writer_;    // as it was told
};

}  // namespace portsyncd
