// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <portsync/health_monitor.hpp>
#include <portsync/redis/connection_options.hpp>
#include <portsync/redis/database.hpp>
#include <string>

#include "event_loop.hpp"

namespace portsyncd {

// Looks now and then whether somebody else keeps the same rows: another of our kind, by its client name, or SONiC's own
// portsyncd, by the row that it leaves in WARM_RESTART_TABLE. Says so in the log and in health.
class SecondWriter final : private portsync::redis::Database::Observer {
 public:
  struct Settings {
    portsync::redis::ConnectionOptions state_db;
    std::string separator;
    std::string client_name_prefix;  // of all of our kind; our own names begin with the connection's
    bool look_for_sonic = true;      // not where we are what SONiC's own would be
  };

  // Throws std::system_error (no descriptor).
  SecondWriter(EventLoop& loop, portsync::HealthMonitor& monitor, Settings settings);

  // Now, too. Without a connection the next one looks.
  void look();

 private:
  void on_open() override { look(); }
  void on_closed(std::error_code) override {}

  void found(const std::string& writer);

  EventLoop& loop_;
  portsync::HealthMonitor& monitor_;
  const Settings settings_;
  std::unique_ptr<portsync::redis::Database> database_;
  std::string other_;    // found by this look
  bool failed_ = false;  // it has: nothing is known
  std::string suspect_;  // found by the look before
  std::string writer_;   // as it was told
};

}  // namespace portsyncd
