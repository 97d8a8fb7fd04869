// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <stdexcept>
#include <thread>

#include "measurements.hpp"

namespace portsync::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t small_buffer_bytes = 65'536;
// The daemon reacts at once to few losses, and to many ever more slowly. Each round should be the first for it.
constexpr auto forgotten = 2100ms;

}  // namespace

void measure_overrun(Bench& bench) {
  DaemonOptions options = bench.daemon;
  options.log_level = "info";  // for its statistics
  options.receive_buffer_bytes = small_buffer_bytes;
  ReadyDaemon daemon(bench, options);
  RowWatch watch(bench.bed.redis_path(), state_db);
  const int rounds = bench.quick ? 2 : 5;
  std::uint64_t overruns = daemon.statistic("overruns");
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    if (i > 0) std::this_thread::sleep_for(forgotten);
    daemon.process().stop();
    bench.bed.flood(std::max<std::size_t>(3000, 2 * bench.bed.ports()));
    watch.discard();
    const auto start = Clock::now();
    daemon.process().resume();
    times.push_back(milliseconds(watch.wait_equal(bench.bed.rows(), convergence_limit) - start));
    const std::uint64_t now = daemon.statistic("overruns");
    if (now == overruns) throw std::runtime_error("the receive buffer was not overrun");
    overruns = now;
  }
  const SyncFloor floor = measure_sync_floor(bench.bed, rounds);
  const std::string goal = bench.bed.ports() == 64 ? "<= 5" : bench.bed.ports() == 4096 ? "<= 60" : "";
  bench.report.add({"overrun, " + at_ports(bench.bed) + ", SIGCONT to equal", median(times), "ms",
                    milliseconds(floor.dump + floor.store), goal});
}

}  // namespace portsync::bench
