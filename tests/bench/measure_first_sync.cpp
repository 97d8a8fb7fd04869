// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>
#include <string>

#include "measurements.hpp"

namespace portsync::bench {
namespace {

constexpr int keys_of_others = 20'000;

void add_keys_of_others(Redis& redis) {
  for (int i = 0; i < keys_of_others; ++i) {
    redis.append(
        {"HSET", "NEIGH_STATE_TABLE|10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250), "state", "ok"});
  }
  for (int i = 0; i < keys_of_others; ++i) redis.answer();
}

void measure(Bench& bench, bool with_others) {
  const int rounds = bench.quick ? 2 : 5;
  std::vector<double> times;
  std::vector<double> versions;
  std::vector<double> memory;
  std::uint64_t commands = 0;
  for (int i = 0; i < rounds; ++i) {
    bench.bed.empty_redis();
    if (with_others) add_keys_of_others(bench.bed.redis());
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
  const std::string name =
      "first sync, " + at_ports(bench.bed) + (with_others ? " beside 20,000 keys of others, " : ", ");
  const bool largest = bench.bed.ports() == 4096;
  bench.report.add({name + "exec to READY=1", median(times), "ms", milliseconds(floor.dump + floor.store),
                    largest ? "<= 60 and <= 2.5 x" : ""});
  if (with_others) return;
  bench.report.add({name + "of this, floor: dump", milliseconds(floor.dump), "ms", {}, ""});
  bench.report.add({name + "of this, floor: store", milliseconds(floor.store), "ms", {}, ""});
  bench.report.add({name + "of this, --version alone", median(versions), "ms", {}, ""});
  bench.report.add(
      {name + "Redis commands", static_cast<double>(commands), "", static_cast<double>(bench.bed.ports()), ""});
  bench.report.add({name + "RSS", median(memory), "MiB", {}, ""});
}

}  // namespace

void measure_first_sync(Bench& bench) {
  measure(bench, false);
}

void measure_first_sync_beside_others(Bench& bench) {
  measure(bench, true);
}

}  // namespace portsync::bench
