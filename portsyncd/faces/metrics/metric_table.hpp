// SPDX-License-Identifier: Apache-2.0
// Every metric that is a number of the whole daemon. To add one, add a line to the table and one to doc/metrics.md. The
// exporter itself has the metrics of a port, the latency histogram and the facts that never change.
#pragma once

#include <cstdint>
#include <portsync/health_monitor.hpp>
#include <span>

#include "log/statistics_report.hpp"

namespace portsyncd {

struct MetricReading {
  Statistics statistics;
  // States may come and go within a second. These members hold the worst of the last one.
  portsync::Verdict verdict = portsync::Verdict::degraded;
  bool store_was_closed = false;
  bool was_deaf = false;
  std::uint64_t times_worse = 0;  // changes of the verdict to a worse one, since the start
};

struct CounterMetric {
  const char* name;
  const char* help;
  std::uint64_t (*value)(const MetricReading& reading);
};

struct GaugeMetric {
  const char* name;
  const char* help;
  double (*value)(const MetricReading& reading);
};

[[nodiscard]] std::span<const CounterMetric> counter_metrics() noexcept;
[[nodiscard]] std::span<const GaugeMetric> gauge_metrics() noexcept;

// Returns the upper bounds of the latency histogram's buckets, in seconds.
[[nodiscard]] std::span<const double> latency_buckets() noexcept;

}  // namespace portsyncd
