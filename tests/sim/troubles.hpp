// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "sim/judge.hpp"
#include "sim/machine.hpp"
#include "sim/redis_server.hpp"
#include "sim/scenario.hpp"

namespace sim {

// Carries out the steps that are faults of the kernel and of Redis, and ends the faults.
class Troubles {
 public:
  Troubles(Machine& machine, RedisServer& server, Judge& judge, const Setup& setup)
      : machine_(machine), server_(server), judge_(judge), setup_(setup) {}
  void act(const Step& step);
  void begin() {}
  // Ends all faults now.
  void end();
  // Returns how long a present fault may go unnoticed.
  [[nodiscard]] Time slack() const;

 private:
  void refuse(const Step& step);
  void edit_row(const Step& step);
  [[nodiscard]] std::string row(std::uint32_t number) const;
  void silent_until(Time when);

  Machine& machine_;
  RedisServer& server_;
  Judge& judge_;
  const Setup& setup_;
  std::optional<RedisServer::Snapshot> saved_;
  Time trouble_until_ = 0;  // of the network, or of the kernel
  std::uint64_t stops_ = 0;
};

}  // namespace sim
