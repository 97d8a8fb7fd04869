// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <portsync/health_monitor.hpp>
#include <portsync/link_source.hpp>
#include <portsync/redis/connection_options.hpp>
#include <portsync/redis/database.hpp>
#include <string>

#include "loop/event_loop.hpp"

namespace portsyncd {

// Maintains MGMT_PORT_TABLE of STATE_DB as sonic-swss's portsyncd did up to release 202411: for each link whose name
// begins with "eth", oper_status is "up" if the link is IFF_RUNNING, else "down". A removed link is "down", too. Uses a
// netlink socket and a Redis connection of its own, so that it does not delay the ports' rows.
class ManagementPorts final : private portsync::redis::Database::Observer {
 public:
  // Starts the work. Throws std::system_error.
  ManagementPorts(EventLoop& loop, portsync::HealthMonitor& monitor, portsync::redis::ConnectionOptions state_db,
                  std::string separator);

 private:
  void on_open() override;
  void on_closed(std::error_code) override {}

  void process();
  void on_link(const portsync::LinkEvent& event);
  void set(const std::string& name, bool up);
  void compare(const std::string& name);
  void compare_all();
  void write(const std::string& name, const std::string& status);
  void on_refused(const std::string& name);

  EventLoop& loop_;
  portsync::HealthMonitor& monitor_;
  const std::string separator_;
  std::unique_ptr<portsync::LinkSource> source_;
  std::unique_ptr<portsync::redis::Database> database_;
  std::map<std::string, std::string> wanted_;  // oper_status by name
  std::map<std::string, std::string> stored_;  // oper_status that Redis has, or that was sent to it
  std::string refusal_;                        // as logged last; "" = none
};

}  // namespace portsyncd
