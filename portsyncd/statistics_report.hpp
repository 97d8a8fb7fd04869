// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/link_source.hpp>
#include <portsync/state_sink.hpp>
#include <portsync/synchronizer.hpp>
#include <string>

namespace portsyncd {

struct Statistics {
  portsync::SynchronizerStatistics sync;
  portsync::LinkSourceStatistics source;
  portsync::SinkStatistics sink;
  std::uint64_t slow_rows = 0;  // stored later than performance.max_latency_us allows
};

// Formats the statistics line of the log. The keys are a contract: tests and monitoring read them.
class StatisticsReport {
 public:
  explicit StatisticsReport(portsync::TimePoint start) : period_start_(start) {}

  // eps is counted since the last end_period(), or the start.
  [[nodiscard]] std::string line(const Statistics& now, portsync::TimePoint time) const;
  void end_period(const Statistics& now, portsync::TimePoint time);

 private:
  portsync::TimePoint period_start_;
  std::uint64_t events_before_ = 0;
};

}  // namespace portsyncd
