// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>

#include "measurements.hpp"

namespace portsync::bench {

void measure_first_sync(Bench& bench) {
  const int rounds = bench.quick ? 2 : 5;
  std::vector<double> times;
  std::vector<double> versions;
  std::vector<double> memory;
  std::uint64_t commands = 0;
  for (int i = 0; i < rounds; ++i) {
    bench.bed.empty_redis();
    const std::uint64_t before = bench.bed.redis().foreign_commands();
    Daemon daemon(bench.daemon, bench.bed);
    times.push_back(milliseconds(daemon.wait_ready()));
    commands = bench.bed.redis().foreign_commands() - before;
    memory.push_back(static_cast<double>(daemon.process().rss_kb()) / 1024);
    if (!rows_equal(bench.bed.redis(), bench.bed.rows())) {
      throw std::runtime_error("READY=1 came before all rows were there");
    }
    versions.push_back(milliseconds(run_version(bench.daemon, bench.bed).time));
  }
  const SyncFloor floor = measure_sync_floor(bench.bed, rounds);
  const std::string name = "first sync, " + at_ports(bench.bed) + ", ";
  const bool largest = bench.bed.ports() == 4096;
  bench.report.add({name + "exec to READY=1", median(times), "ms", milliseconds(floor.dump + floor.store),
                    largest ? "<= 60 and <= 2.5 x" : ""});
  bench.report.add({name + "of this, floor: dump", milliseconds(floor.dump), "ms", {}, ""});
  bench.report.add({name + "of this, floor: store", milliseconds(floor.store), "ms", {}, ""});
  bench.report.add({name + "of this, --version alone", median(versions), "ms", {}, ""});
  bench.report.add(
      {name + "Redis commands", static_cast<double>(commands), "", static_cast<double>(bench.bed.ports()), ""});
  bench.report.add({name + "RSS", median(memory), "MiB", {}, ""});
}

}  // namespace portsync::bench
