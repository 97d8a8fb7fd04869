// SPDX-License-Identifier: Apache-2.0
#include "statistics_report.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "log_line.hpp"

namespace portsyncd {
namespace {

// Events a second, with one decimal.
std::string rate(std::uint64_t events, portsync::Clock::duration period) {
  const auto ms = static_cast<std::uint64_t>(
      std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(period).count()));
  const std::uint64_t tenths = events * 10'000 / ms;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

}  // namespace

std::string StatisticsReport::line(const Statistics& now, portsync::TimePoint time) const {
  const auto& [sync, source, sink, slow_rows] = now;
  return LogLine("statistics")
      .add("events", sync.events)
      .add("writes", sync.writes)
      .add("erases", sync.erases)
      .add("failures", sync.failures)
      .add("unchanged", sync.unchanged)
      .add("eps", rate(sync.events - events_before_, time - period_start_))
      .add("latency_us_p50", sync.latency_p50_us)
      .add("latency_us_p95", sync.latency_p95_us)
      .add("latency_us_p99", sync.latency_p99_us)
      .add("latency_us_max", sync.latency_max_us)
      .add("pending", sync.pending)
      .add("ports", sync.ports)
      .add("batches", sync.batches)
      .add("queue_collapses", sync.queue_collapses)
      .add("snapshots", source.snapshots)
      .add("resyncs", source.resyncs)
      .add("overruns", source.overruns)
      .add("truncated", source.truncated)
      .add("interrupted", source.interrupted)
      .add("foreign", source.foreign)
      .add("probe_failures", source.probe_failures)
      .add("audits", sync.audits)
      .add("drift_repaired", sync.drift_repaired)
      .add("redis_commands", sink.commands)
      .add("redis_opens", sink.opens)
      .add("redis_timeouts", sink.timeouts)
      .add("refused", sink.refused)
      .add("receive_buffer_bytes", source.receive_buffer_bytes)
      .add("backlog_bytes", source.backlog_bytes)
      .add("slow_rows", slow_rows)
      .text();
}

void StatisticsReport::end_period(const Statistics& now, portsync::TimePoint time) {
  period_start_ = time;
  events_before_ = now.sync.events;
}

}  // namespace portsyncd
