// SPDX-License-Identifier: Apache-2.0
#include "measurements.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace portsync::bench {

ReadyDaemon::ReadyDaemon(Bench& bench, const DaemonOptions& options) : Daemon(options, bench.bed) {
  wait_ready();
  RowWatch(bench.bed.redis_path(), state_db).wait_equal(bench.bed.rows(), convergence_limit);
}

std::string at_ports(const Testbed& bed) {
  return std::to_string(bed.ports()) + " ports";
}

SyncFloor measure_sync_floor(Testbed& bed, int rounds) {
  std::vector<double> dumps;
  std::vector<double> stores;
  Redis redis(bed.redis_path(), floor_db);
  for (int i = 0; i < rounds; ++i) {
    auto start = Clock::now();
    if (dump_links() < bed.ports()) throw std::runtime_error("the kernel lists too few links");
    dumps.push_back(microseconds(Clock::now() - start));
    redis({"FLUSHDB"});
    start = Clock::now();
    write_rows(redis, bed.rows());
    stores.push_back(microseconds(Clock::now() - start));
  }
  redis({"FLUSHDB"});
  const auto duration = [](double us) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::micro>(us));
  };
  return {duration(median(dumps)), duration(median(stores))};
}

void measure_idle(Bench& bench) {
  ReadyDaemon daemon(bench);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const Process& process = daemon.process();
  const double time = bench.quick ? 3 : 10;
  const auto wakeups = process.voluntary_switches();
  const auto cpu = process.cpu_ns();
  const auto commands = bench.bed.redis().foreign_commands();
  std::this_thread::sleep_for(std::chrono::duration<double>(time));
  const auto count = [](std::uint64_t now, std::uint64_t before) { return static_cast<double>(now - before); };
  const std::string name = "idle, " + at_ports(bench.bed) + ", ";
  bench.report.add({name + "wake-ups", count(process.voluntary_switches(), wakeups) / time, "/s", {}, "<= 0.5"});
  bench.report.add({name + "CPU", count(process.cpu_ns(), cpu) / 1000 / time, "µs/s", {}, ""});
  bench.report.add(
      {name + "Redis commands", count(bench.bed.redis().foreign_commands(), commands), "", {}, "the probe"});
}

void measure_memory(Bench& bench) {
  ReadyDaemon daemon(bench);
  RowWatch watch(bench.bed.redis_path(), state_db);
  const std::size_t changes = (bench.quick ? 200 : 1000) * std::max<std::size_t>(bench.bed.ports() / 8, 64);
  constexpr std::size_t at_once = 8192;
  for (std::size_t done = 0; done < changes; done += at_once) {
    bench.bed.flood(at_once);
    watch.wait_equal(bench.bed.rows(), convergence_limit);
  }
  const auto megabytes = [](std::uint64_t kb) { return static_cast<double>(kb) / 1024; };
  const std::string name = "memory, " + at_ports(bench.bed) + ", ";
  const std::string goal = bench.bed.ports() <= 64 ? "<= 8" : bench.bed.ports() <= 4096 ? "<= 12" : "";
  bench.report.add({name + "RSS after load", megabytes(daemon.process().rss_kb()), "MiB", {}, goal});
  bench.report.add({name + "peak RSS", megabytes(daemon.process().peak_rss_kb()), "MiB", {}, ""});
}

}  // namespace portsync::bench
