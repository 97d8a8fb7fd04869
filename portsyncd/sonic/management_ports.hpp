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

// MGMT_PORT_TABLE of STATE_DB, as sonic-swss's portsyncd kept it up to release 202411: for each link whose name begins
// with "eth", oper_status = "up" when it is IFF_RUNNING, else "down"; "down", too, when it has gone. Has a netlink
// socket and a connection of its own: the ports' rows pay nothing for it.
class ManagementPorts final : private portsync::redis::Database::Observer {
 public:
  // Starts. Throws std::system_error.
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
  std::map<std::string, std::string> stored_;  // or on its way
  std::string refusal_;                        // as it was logged; "" = none
};

}  // namespace portsyncd
