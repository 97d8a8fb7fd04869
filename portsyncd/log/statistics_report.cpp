// SPDX-License-Identifier: Apache-2.0
#include "log/statistics_report.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "log/log_line.hpp"

namespace portsyncd {
namespace {

// Returns events per second, with one decimal.
std::string rate(std::uint64_t events, portsync::Clock::duration period) {
  const auto ms = static_cast<std::uint64_t>(
      std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(period).count()));
  const std::uint64_t tenths = events * 10'000 / ms;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

}  // namespace

std::vector<std::pair<std::string_view, std::uint64_t>> values_of(const Statistics& statistics) {
  const auto& [sync, source, sink, slow_rows] = statistics;
  return {
      {"events", sync.events},
      {"writes", sync.writes},
      {"erases", sync.erases},
      {"failures", sync.failures},
      {"unchanged", sync.unchanged},
      {"latency_us_p50", sync.latency_p50_us},
      {"latency_us_p95", sync.latency_p95_us},
      {"latency_us_p99", sync.latency_p99_us},
      {"latency_us_max", sync.latency_max_us},
      {"pending", sync.pending},
      {"ports", sync.ports},
      {"batches", sync.batches},
      {"queue_collapses", sync.queue_collapses},
      {"snapshots", source.snapshots},
      {"resyncs", source.resyncs},
      {"overruns", source.overruns},
      {"truncated", source.truncated},
      {"interrupted", source.interrupted},
      {"foreign", source.foreign},
      {"probe_failures", source.probe_failures},
      {"audits", sync.audits},
      {"drift_repaired", sync.drift_repaired},
      {"redis_commands", sink.commands},
      {"redis_opens", sink.opens},
      {"redis_timeouts", sink.timeouts},
      {"refused", sink.refused},
      {"receive_buffer_bytes", source.receive_buffer_bytes},
      {"backlog_bytes", source.backlog_bytes},
      {"slow_rows", slow_rows},
  };
}

std::string StatisticsReport::line(const Statistics& now, portsync::TimePoint time) const {
  LogLine line("statistics");
  for (const auto& [name, value] : values_of(now)) {
    line.add(name, value);
    if (name == "unchanged") line.add("eps", rate(now.sync.events - events_before_, time - period_start_));
  }
  return line.text();
}

void StatisticsReport::end_period(const Statistics& now, portsync::TimePoint time) {
  period_start_ = time;
  events_before_ = now.sync.events;
}

}  // namespace portsyncd
