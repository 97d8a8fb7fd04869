// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "sim/judge.hpp"
#include "sim/kernel.hpp"
#include "sim/redis_server.hpp"
#include "sim/scenario.hpp"

namespace sim {

// SONiC's other programs: CONFIG_DB with its ports, and an orchagent that pops what is staged (ProducerStateTable's
// consumer) and has the netdevs made after PortConfigDone. Judges when PortConfigDone and PortInitDone are set.
class Swss {
 public:
  Swss(World& world, Kernel& kernel, RedisServer& server, Judge& judge, const Setup& setup);

  // Stores CONFIG_DB and starts orchagent.
  void start();
  // Ends orchagent and flushes APPL_DB. Also removes the netdevs, unless they are left behind.
  void stop(bool leave_netdevs);
  void on_key(int database, const std::string& key);
  void on_link(const std::string& name) { seen_.insert(name); }
  // Gives every port a netdev, also those whose netdev was removed.
  void make_netdevs();
  [[nodiscard]] bool init_done() const { return server_.hash(appl_db, "PORT_TABLE:PortInitDone") != nullptr; }

 private:
  static constexpr int appl_db = 0;
  static constexpr int config_db = 4;
  static constexpr int state_db = 6;
  void consume();
  void take(const std::string& name, bool deleted);
  void check_config_done();
  void check_init_done();
  [[nodiscard]] std::vector<std::string> ports() const;

  World& world_;
  Kernel& kernel_;
  RedisServer& server_;
  Judge& judge_;
  const Setup& setup_;
  bool running_ = false;
  bool due_ = false;
  std::uint64_t run_ = 0;
  std::set<std::string> seen_;  // netdevs that existed since swss started
};

}  // namespace sim
