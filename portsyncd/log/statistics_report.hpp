// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/link_source.hpp>
#include <portsync/state_sink.hpp>
#include <portsync/synchronizer.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portsyncd {

struct Statistics {
  portsync::SynchronizerStatistics sync;
  portsync::LinkSourceStatistics source;
  portsync::SinkStatistics sink;
  std::uint64_t slow_rows = 0;  // stored later than performance.max_latency_us allows
};

// Returns the values with their names, in a fixed order. The names are a contract, because tests, monitoring and users
// of portsyncctl read them.
[[nodiscard]] std::vector<std::pair<std::string_view, std::uint64_t>> values_of(const Statistics& statistics);

// Formats the statistics line of the log: the values, and `eps`.
class StatisticsReport {
 public:
  explicit StatisticsReport(portsync::TimePoint start) : period_start_(start) {}

  // Returns the line. Its `eps` counts since the last end_period(), or since the start.
  [[nodiscard]] std::string line(const Statistics& now, portsync::TimePoint time) const;
  void end_period(const Statistics& now, portsync::TimePoint time);

 private:
  portsync::TimePoint period_start_;
  std::uint64_t events_before_ = 0;
};

}  // namespace portsyncd
