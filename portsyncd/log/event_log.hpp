// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <portsync/health_monitor.hpp>
#include <portsync/synchronizer.hpp>
#include <string>
#include <string_view>

#include "base/token_bucket.hpp"
#include "log/log.hpp"
#include "log/log_line.hpp"

namespace portsyncd {

// Writes the library's events to the log. Lines about rows share a token bucket, so that a storm of link changes does
// not flood the log. Counts the lines that it suppresses and logs their number.
class EventLog {
 public:
  using Writer = std::function<void(log::Level level, std::string_view line, log::Fields fields)>;
  using TimePoint = portsync::TimePoint;

  EventLog(std::chrono::microseconds max_latency, std::chrono::seconds retry_interval, Writer writer = log::write);

  void on_event(const portsync::SyncEvent& event, TimePoint now);
  // `starting` lasts until the daemon is ready. A healthy start passes through Degraded, so that is no warning then.
  enum class Phase : std::uint8_t { starting, running };
  void on_health(const portsync::Health& before, const portsync::Health& health, Phase phase, TimePoint now);

  // Returns true if lines are held back. flush() logs their number or the newest of them.
  [[nodiscard]] bool holds_back() const noexcept { return suppressed_ > 0 || holds_back_health_; }
  void flush();

  void set_max_latency(std::chrono::microseconds max_latency) noexcept { max_latency_ = max_latency; }

  // Returns the number of rows that took longer than max_latency.
  [[nodiscard]] std::uint64_t slow_rows() const noexcept { return slow_rows_; }

 private:
  struct Transition {
    portsync::Health before;
    portsync::Health health;
    Phase phase = Phase::running;
  };

  [[nodiscard]] bool may_log_row(log::Level level, TimePoint now);
  void note_latency(const portsync::SyncEvent& event, TimePoint now);
  [[nodiscard]] LogLine line_of(const portsync::SyncEvent& event) const;
  void flush_rows();
  void write_health(const Transition& transition);
  void write(log::Level level, const LogLine& line) const { writer_(level, line.text(), line.fields()); }

  std::chrono::microseconds max_latency_;
  std::chrono::seconds retry_interval_;
  Writer writer_;
  TokenBucket rows_{50, 200};
  TokenBucket slow_warnings_{0.1, 1};
  TokenBucket health_reasons_{1, 10};
  std::uint64_t suppressed_ = 0;
  log::Level suppressed_level_ = log::Level::info;  // the highest level of the suppressed lines
  Transition held_back_;                            // of health: from the one logged last to the newest
  bool holds_back_health_ = false;
  std::uint64_t slow_rows_ = 0;
};

}  // namespace portsyncd
