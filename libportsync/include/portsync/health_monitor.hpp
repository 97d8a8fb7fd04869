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

// How well the rows equal the links; the worse the greater.
enum class Verdict : std::uint8_t { healthy, degraded, unhealthy };

// "Healthy", "Degraded", "Unhealthy".
[[nodiscard]] PORTSYNC_API const char* to_string(Verdict verdict) noexcept;

// How one sink does.
struct SinkReport {
  std::string name;                        // as given to Synchronizer::add_sink()
  bool open = false;                       // rows can be written, and what it holds is known
  std::string error;                       // why it is not open, or why a row was refused; "" = nothing wrong
  std::size_t pending = 0;                 // rows that differ from the kernel, as far as is known
  std::optional<TimePoint> pending_since;  // when the oldest change that is not stored yet was read
  std::string pending_port;                // its port
  std::optional<TimePoint> refused_since;  // when the oldest of the refused rows was first refused
  std::string refused_port;                // its port
  std::size_t behind = 0;                  // ports whose row has been pending or refused for a second or longer
  // Rows of the last minute that were stored, removed or refused, and how many of them were refused. A refused row
  // counts once, however often it is tried again: its age tells the rest.
  std::uint64_t writes = 0;
  std::uint64_t failures = 0;               // of these, the ones refused
  std::chrono::microseconds round_trip{0};  // of the latest batch or probe
  // When the rows were read back and compared last; std::nullopt: never, or the sink cannot be read.
  std::optional<TimePoint> compared;
  std::string compare_error;  // why the latest read-back failed; "" = it did not
  std::string trouble;        // what is amiss in the store though no row fails for it, for people; "" = nothing
};

// How the Synchronizer and what it drives do, at one moment.
struct HealthReport {
  bool first_snapshot = false;          // the first snapshot is complete
  bool snapshot_pending = false;        // a loss was noticed, its snapshot is not complete
  std::optional<TimePoint> deaf_since;  // netlink probes are unanswered since
  std::size_t ports = 0;                // links that match
  std::size_t rows_left_alone = 0;      // no link matches and this many rows were not removed for that
  std::string match;                    // what links are matched with, for people: "Ethernet*"
  std::vector<SinkReport> sinks;        // in the order of Synchronizer::add_sink()
  // Message read to row stored, of the rows of the last minute.
  std::uint64_t latency_p99_us = 0;
  std::uint64_t latency_samples = 0;  // rows that it is of
  // Since the start. No verdict depends on these.
  std::uint64_t overruns = 0;
  std::uint64_t resyncs = 0;         // snapshots after the first
  std::uint64_t drift_repaired = 0;  // rows that an audit found to differ
  // Since when no link matches, though one did; std::nullopt: one does, none ever did, or it is known to be meant.
  std::optional<TimePoint> no_port_since;
  std::chrono::milliseconds audit_interval{0};    // rows are to be compared that often; 0 = they are not
  std::optional<TimePoint> listing_silent_since;  // see LinkSourceStatistics, as the next one
  std::uint64_t interrupted_in_a_row = 0;         // listings of the links
};

// A verdict and what it is for.
struct Health {
  Verdict verdict = Verdict::degraded;  // until the first report
  std::string reason = "starting";      // the first cause; "" when healthy
};

[[nodiscard]] PORTSYNC_API bool operator==(const Health& a, const Health& b) noexcept;
[[nodiscard]] inline bool operator!=(const Health& a, const Health& b) noexcept {
  return !(a == b);
}

// "Healthy", "Degraded: reason" or "Unhealthy: reason".
[[nodiscard]] PORTSYNC_API std::string to_string(const Health& health);

// One change of the verdict or of its reason.
struct HealthTransition {
  Health before;                               // until then
  Health now;                                  // from then on
  TimePoint when;                              // as deadlines and durations count it
  std::chrono::system_clock::time_point time;  // the same, for people
};

// The limits that reports are judged by.
struct HealthOptions {
  // A row that has been pending or refused, or a socket deaf, for this long makes the verdict unhealthy.
  std::chrono::milliseconds max_stall{10'000};
  // Degraded while the p99 latency of the last minute is over this.
  std::chrono::microseconds max_latency{10'000};
  // Per cent of the writes of the last minute: degraded while fewer succeed, unhealthy while more fail.
  double min_success_rate = 99.0;
  double max_failure_rate = 5.0;  // see min_success_rate
  // Degraded while fewer per cent of the ports have a row that equals the kernel.
  double min_sync_rate = 90.0;
  // A better verdict is told when it has been better for this long; a worse one at once.
  std::chrono::milliseconds settle_time{1000};
};

// Judges reports, and how old their troubles have become since, into one verdict. Acting on it is the caller's job.
class PORTSYNC_API HealthMonitor : public Pollable {
 public:
  // See set_listener().
  using Listener = std::function<void(const Health& before, const Health& now)>;

  // Takes the place of the report before. Called by the Synchronizer (set_health_monitor()), from its process().
  virtual void report(const HealthReport& report) = 0;

  // The verdict on the latest report, as of now.
  [[nodiscard]] virtual Health overall() const = 0;

  // Called from report(), process(), set_condition() and set_options(), whenever the verdict or its reason has changed.
  virtual void set_listener(Listener listener) = 0;

  // A trouble of the caller's own, under a name of its choice; the reason is told as it is. Healthy = it is over.
  virtual void set_condition(const std::string& name, const Health& condition) = 0;

  // Judges by other limits from now on.
  virtual void set_options(const HealthOptions& options) = 0;

  // The last 100 changes, oldest first. A reason whose numbers alone have changed is the same change: it has the
  // newest.
  [[nodiscard]] virtual std::vector<HealthTransition> history() const = 0;
};

// A quiet switch is healthy: nothing is judged by the absence of changes. The reason is the first cause of the worst
// troubles, from the kernel to the store, and rates last; a rate counts with 20 writes or latencies in a minute, and
// ends when it is clearly within its limit. Numbers in a reason are told anew once a minute at most. Throws
// std::system_error (no descriptor).
[[nodiscard]] PORTSYNC_API std::unique_ptr<HealthMonitor> make_health_monitor(const HealthOptions& options);

}  // namespace portsync
