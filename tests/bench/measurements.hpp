// SPDX-License-Identifier: Apache-2.0
// The measurements. Each starts the daemon anew, and reports its figures beside the floors of the same minute.
#pragma once

#include <cstddef>

#include "daemon.hpp"
#include "figures.hpp"
#include "testbed.hpp"

namespace portsync::bench {

struct Bench {
  Testbed& bed;  // has exactly the ports that the measurement needs
  Report& report;
  DaemonOptions daemon;
  bool quick = false;
};

// One change at a time: from the kernel's message to the row.
void measure_latency(Bench& bench);
// 3,000 events queued in the socket.
void measure_drain(Bench& bench);
// As many changes as the kernel accepts, for seconds.
void measure_sustained(Bench& bench);
// From exec to READY=1, with an empty database.
void measure_first_sync(Bench& bench);
// The same, with 20,000 keys of others in the database.
void measure_first_sync_beside_others(Bench& bench);
// In sonic mode: from exec to PortConfigDone, and to every row, with an orchagent that pops at once.
void measure_sonic_start(Bench& bench);
// Redis is killed and comes back empty.
void measure_redis_restart(Bench& bench);
// More events than the receive buffer holds.
void measure_overrun(Bench& bench);
// The cost while nothing happens.
void measure_idle(Bench& bench);
// Resident memory after load.
void measure_memory(Bench& bench);

// ---- shared by the measurements

// Measures the floors of reading all links and of storing all rows.
struct SyncFloor {
  Clock::duration dump{};
  Clock::duration store{};
};
[[nodiscard]] SyncFloor measure_sync_floor(Testbed& bed, int rounds);

// A daemon that is ready, with all rows equal to the links.
class ReadyDaemon : public Daemon {
 public:
  explicit ReadyDaemon(Bench& bench) : ReadyDaemon(bench, bench.daemon) {}
  ReadyDaemon(Bench& bench, const DaemonOptions& options);
};

// Returns " 64 ports" and the like, for names of figures.
[[nodiscard]] std::string at_ports(const Testbed& bed);

// The time limit for the rows to become equal.
constexpr std::chrono::milliseconds convergence_limit{10'000};

}  // namespace portsync::bench
