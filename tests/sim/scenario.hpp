// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/kernel.hpp"
#include "sim/network.hpp"
#include "sim/world.hpp"

namespace sim {

// An action on the links, the servers or the process. The numbers of a step choose which link, which key and
// for how long. A step that makes no sense at its time does nothing, so that any list of steps can run and a list can
// be cut anywhere.
enum class Act : std::uint8_t {
  // links
  add, remove, admin, carrier, mtu, address, rename, swap, enslave, alternative_name, replace, kind, flap, others,
  // the kernel
  hold_lock, churn, deaf, overrun,
  // Redis
  stop_redis, restart_redis, pause_redis, kill_clients, hold_bytes, refuse, allow, edit_row, delete_row, foreign_field,
  foreign_row, flush, save, rollback, idle_timeout,
  // the process
  reload, resync, audit, restart, kill_process, swss_restart,
  // All troubles end. After a while, everything must be as promised.
  calm,
  count
};
[[nodiscard]] const char* to_string(Act act) noexcept;

struct Step {
  Act act = Act::calm;
  Time delay = 0;  // after the previous step
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
};

// The properties of machine and process in one run.
struct Setup {
  std::uint64_t seed = 0;
  std::uint32_t ports = 4;  // the number of names
  std::uint32_t max_event_queue = 1000;
  std::uint32_t receive_buffer = 1U << 20U;
  Time audit_interval = 5 * second;
  std::uint32_t full_audit_every = 3;
  Time retry_interval = second;
  Time timeout = 2 * second;
  bool index = true;
  bool whole_key = false;  // as in sonic mode: DEL, and a replaced link is DEL and HSET
  bool tcp = false;
  bool by_name = false;
  bool app = false;    // portsyncd's App, or the library's objects alone
  bool sonic = false;  // the port loader, and SONiC's neighbours
  KernelStyle kernel;
  KernelFaults kernel_faults;
  SystemFaults system_faults;
  NetworkStyle network;
};

struct Scenario {
  Setup setup;
  std::vector<Step> steps;
};

// Makes the scenario of a seed. Each scenario enables a random subset of the acts and faults (swarm testing).
[[nodiscard]] Scenario make_scenario(std::uint64_t seed, std::size_t steps);

// Returns the scenario as a text file that people can read and change.
[[nodiscard]] std::string to_text(const Scenario& scenario);
// Throws std::runtime_error.
[[nodiscard]] Scenario from_text(const std::string& text);

}  // namespace sim
