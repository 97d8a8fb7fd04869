// SPDX-License-Identifier: Apache-2.0
// The floor is the kernel with a bare reader in place of the daemon.
#include <algorithm>
#include <stdexcept>
#include <thread>

#include "measurements.hpp"

namespace portsync::bench {
namespace {

using namespace std::chrono_literals;

struct Load {
  double changes_per_second = 0;
  std::size_t largest_backlog = 0;  // bytes
  std::uint64_t drops = 0;
};

Load generate(Testbed& bed, Clock::duration time) {
  constexpr std::size_t at_once = 1024;
  Load load;
  std::size_t changes = 0;
  const std::uint64_t drops = listener_queues().drops;
  const auto start = Clock::now();
  auto now = start;
  for (; now - start < time; now = Clock::now()) {
    bed.flood(at_once);
    changes += at_once;
    load.largest_backlog = std::max(load.largest_backlog, listener_queues().backlog_bytes);
  }
  load.changes_per_second = static_cast<double>(changes) / seconds(now - start);
  load.drops = listener_queues().drops - drops;
  return load;
}

Load generate_for_bare_reader(Bench& bench) {
  Process reader(bench.daemon.processor);
  reader.fork([] { LinkListener().read_for_ever({}); });
  std::this_thread::sleep_for(100ms);
  const Load load = generate(bench.bed, 1s);
  if (reader.ended()) throw std::runtime_error("the bare reader lost events");
  return load;
}

}  // namespace

void measure_sustained(Bench& bench) {
  const Load floor = generate_for_bare_reader(bench);
  DaemonOptions options = bench.daemon;
  options.log_level = "info";  // for its statistics; info is also the default
  ReadyDaemon daemon(bench, options);
  const std::uint64_t events_before = daemon.statistic("events");
  const std::uint64_t cpu = daemon.process().cpu_ns();
  const std::uint64_t commands = bench.bed.redis().foreign_commands();

  const auto begin = Clock::now();
  const Load load = generate(bench.bed, bench.quick ? 1s : 3s);
  const auto end = Clock::now();
  // Not with a RowWatch, because notifying it of every write would cost Redis more than the writes.
  while (!rows_equal(bench.bed.redis(), bench.bed.rows())) {
    if (Clock::now() - end > convergence_limit) throw std::runtime_error("the rows never became equal to the links");
  }
  const auto behind = Clock::now() - end;
  std::this_thread::sleep_for(20ms);

  const double used = static_cast<double>(daemon.process().cpu_ns() - cpu) / 1000;
  const double written = static_cast<double>(bench.bed.redis().foreign_commands() - commands);
  const double events = static_cast<double>(daemon.statistic("events") - events_before);
  const std::string name = "sustained, " + at_ports(bench.bed) + ", ";
  bench.report.add({name + "changes made", load.changes_per_second, "/s", floor.changes_per_second, "~ 1 x"});
  bench.report.add({name + "events read", events / seconds(end - begin + behind), "/s", {}, ""});
  bench.report.add({name + "overruns", static_cast<double>(daemon.statistic("overruns")), "",
                    static_cast<double>(floor.drops), "0"});
  bench.report.add({name + "largest backlog", static_cast<double>(load.largest_backlog) / 1024, "KiB",
                    static_cast<double>(floor.largest_backlog) / 1024, ""});
  bench.report.add({name + "equal after the last change", milliseconds(behind), "ms", {}, ""});
  bench.report.add({name + "daemon CPU", used / events, "µs/event", {}, ""});
  bench.report.add({name + "Redis commands", written / events, "/event", {}, ""});
}

}  // namespace portsync::bench
