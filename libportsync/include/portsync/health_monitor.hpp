// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <portsync/export.hpp>
#include <portsync/pollable.hpp>
#include <string>
#include <vector>

namespace portsync {

// How well the rows equal the links. A greater value is worse.
enum class Verdict : std::uint8_t { healthy, degraded, unhealthy };

// Returns "Healthy", "Degraded" or "Unhealthy".
[[nodiscard]] PORTSYNC_API const char* to_string(Verdict verdict) noexcept;

// The state of one sink.
struct SinkReport {
  std::string name;                        // as given to Synchronizer::add_sink()
  bool open = false;                       // rows can be written, and the contents of the store are known
  std::string error;                       // why it is not open, or why a row was refused; "" = nothing wrong
  std::size_t pending = 0;                 // rows that differ from the kernel, as far as is known
  std::optional<TimePoint> pending_since;  // when the message of the oldest change not yet stored was read
  std::string pending_port;                // the port of that change
  std::optional<TimePoint> refused_since;  // when the oldest of the refused rows was first refused
  std::string refused_port;                // the port of that row
  std::size_t behind = 0;                  // ports whose row has been pending or refused for a second or longer
  // Rows of the last minute that were stored, removed or refused, and how many of them were refused. A refused row
  // counts once, however often it is tried again; refused_since gives its age.
  std::uint64_t writes = 0;
  std::uint64_t failures = 0;               // of these, the ones refused
  std::chrono::microseconds round_trip{0};  // of the latest batch or probe
  // When the rows were last read back and compared; std::nullopt: never, or the sink cannot be read.
  std::optional<TimePoint> compared;
  std::string compare_error;  // why the latest read-back failed; "" = it succeeded
  std::string trouble;        // a fault of the store that fails no row, for people; "" = none
};

// The state of the Synchronizer and of all that it drives, at one moment.
struct HealthReport {
  bool first_snapshot = false;          // the first snapshot is complete
  bool snapshot_pending = false;        // a loss was noticed, and the snapshot after it is not complete
  std::optional<TimePoint> deaf_since;  // since when netlink probes are unanswered
  std::size_t ports = 0;                // links that match
  std::size_t rows_left_alone = 0;      // rows that were not removed because no link matches
  std::string match;                    // the pattern that links are matched with, for people: "Ethernet*"
  std::vector<SinkReport> sinks;        // in the order of Synchronizer::add_sink()
  // From reading the message to storing the row, for the rows of the last minute.
  std::uint64_t latency_p99_us = 0;
  std::uint64_t latency_samples = 0;  // number of rows measured
  // Since the start. No verdict depends on these.
  std::uint64_t overruns = 0;
  std::uint64_t resyncs = 0;         // snapshots after the first
  std::uint64_t drift_repaired = 0;  // rows that an audit found to differ
  // Since when no link matches, although one did before; std::nullopt: one matches, none ever did, or it is known that
  // none should.
  std::optional<TimePoint> no_port_since;
  std::chrono::milliseconds audit_interval{0};    // how often rows are to be compared; 0 = never
  std::optional<TimePoint> listing_silent_since;  // see LinkSourceStatistics, for the next one too
  std::uint64_t interrupted_in_a_row = 0;         // listings of the links
  std::optional<TimePoint> links_listed;          // when the latest snapshot was complete
};

// A verdict and its reason.
struct Health {
  Verdict verdict = Verdict::degraded;  // until the first report
  std::string reason = "starting";      // the first cause; "" when healthy
};

[[nodiscard]] PORTSYNC_API bool operator==(const Health& a, const Health& b) noexcept;
[[nodiscard]] inline bool operator!=(const Health& a, const Health& b) noexcept {
  return !(a == b);
}

// Returns "Healthy", "Degraded: reason" or "Unhealthy: reason".
[[nodiscard]] PORTSYNC_API std::string to_string(const Health& health);

// A change of the verdict or of its reason.
struct HealthTransition {
  Health before;                               // until then
  Health now;                                  // from then on
  TimePoint when;                              // in the clock of deadlines and durations
  std::chrono::system_clock::time_point time;  // the same, for people
};

// The limits for judging reports.
struct HealthOptions {
  // Unhealthy when a row has been pending or refused, or a socket deaf, for this long.
  std::chrono::milliseconds max_stall{10'000};
  // Degraded while the p99 latency of the last minute exceeds this.
  std::chrono::microseconds max_latency{10'000};
  // Percentages of the writes of the last minute: degraded while fewer than min_success_rate succeed, unhealthy while
  // more than max_failure_rate fail.
  double min_success_rate = 99.0;
  double max_failure_rate = 5.0;  // see min_success_rate
  // Degraded while a smaller percentage of the ports has a row that equals the kernel.
  double min_sync_rate = 90.0;
  // The monitor reports a better verdict after it has lasted this long, and a worse one at once.
  std::chrono::milliseconds settle_time{1000};
};

// Judges reports, including the present age of their faults, and forms one verdict. The caller acts on it.
class PORTSYNC_API HealthMonitor : public Pollable {
 public:
  // See set_listener().
  using Listener = std::function<void(const Health& before, const Health& now)>;

  // Replaces the previous report. The Synchronizer calls it from its process(); see set_health_monitor().
  virtual void report(const HealthReport& report) = 0;

  // Returns the verdict on the latest report, as of now.
  [[nodiscard]] virtual Health overall() const = 0;

  // Sets the listener. report(), process(), set_condition() and set_options() call it whenever the verdict or its
  // reason has changed.
  virtual void set_listener(Listener listener) = 0;

  // Sets a fault of the caller's own, under a name of its choice. The reason is reported unchanged. Healthy = the fault
  // is over.
  virtual void set_condition(const std::string& name, const Health& condition) = 0;

  // Replaces the limits from now on.
  virtual void set_options(const HealthOptions& options) = 0;

  // Returns the last 100 changes, oldest first. If only the numbers in a reason change, this is no new entry: the entry
  // holds the newest numbers.
  [[nodiscard]] virtual std::vector<HealthTransition> history() const = 0;
};

// Makes a monitor. A quiet switch is healthy: the absence of changes is never a fault. The reason is the first cause of
// the worst faults, in the order from the kernel to the store, with rates last. A rate counts only with 20 writes or
// latencies within a minute, and stops counting when it is clearly within its limit. If only the numbers in a reason
// change, they are reported again at most once a minute. Throws std::system_error (no descriptor).
[[nodiscard]] PORTSYNC_API std::unique_ptr<HealthMonitor> make_health_monitor(const HealthOptions& options);

}  // namespace portsync
