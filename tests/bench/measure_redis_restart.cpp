// SPDX-License-Identifier: Apache-2.0
// Redis is killed and comes back empty. The daemon's pause between two attempts to connect takes most of the time.
#include <stdexcept>
#include <thread>

#include "measurements.hpp"

namespace portsync::bench {

void measure_redis_restart(Bench& bench) {
  using namespace std::chrono_literals;
  const ReadyDaemon daemon(bench);
  std::vector<double> times;
  for (int i = 0; i < (bench.quick ? 1 : 5); ++i) {
    bench.bed.restart_redis();
    const auto start = Clock::now();
    while (!rows_equal(bench.bed.redis(), bench.bed.rows())) {
      if (Clock::now() - start > convergence_limit) throw std::runtime_error("the rows never came back");
      std::this_thread::sleep_for(200us);
    }
    times.push_back(milliseconds(Clock::now() - start));
  }
  const std::string name = "Redis restart, " + at_ports(bench.bed) + ", answering to equal, ";
  bench.report.add({name + "median", median(times), "ms", {}, "<= 2,200: the pause"});
  bench.report.add({name + "longest", quantile(times, 1), "ms", {}, ""});
}

}  // namespace portsync::bench
