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
};

// How the Synchronizer and what it drives do, at one moment.
struct HealthReport {
  bool first_snapshot = false;          // the first snapshot is complete
  bool snapshot_pending = false;        // a loss was noticed, its snapshot is not complete
  std::optional<TimePoint> deaf_since;  // netlink probes are unanswered since
  std::size_t ports = 0;                // links that match
  std::size_t rows_left_alone = 0;      // no link matches and this many rows were not removed for that
  std::string match;                    // what links are matched with, for people: "Ethernet*"
  std::vector<SinkReport> sinks;
};

struct Health {
  Verdict verdict = Verdict::degraded;
  std::string reason = "starting";  // the first cause; "" when healthy
};

[[nodiscard]] PORTSYNC_API bool operator==(const Health& a, const Health& b) noexcept;
[[nodiscard]] inline bool operator!=(const Health& a, const Health& b) noexcept {
  return !(a == b);
}

// "Healthy", "Degraded: reason" or "Unhealthy: reason".
[[nodiscard]] PORTSYNC_API std::string to_string(const Health& health);

// Judges reports, and how old their troubles have become since, into one verdict. Acting on it is the caller's job.
class PORTSYNC_API HealthMonitor : public Pollable {
 public:
  using Listener = std::function<void(const Health& before, const Health& now)>;

  // Takes the place of the report before. Called by the Synchronizer (set_health_monitor()), from its process().
  virtual void report(const HealthReport& report) = 0;

  [[nodiscard]] virtual Health overall() const = 0;

  // Called from report() and process(), whenever the verdict or its reason has changed.
  virtual void set_listener(Listener listener) = 0;
};

struct DeadlineHealthOptions {
  // A row that has been pending or refused, or a socket deaf, for this long makes the verdict unhealthy.
  std::chrono::milliseconds max_stall{10'000};
};

// A monitor that knows deadlines only: degraded while something is amiss, unhealthy once it has been for max_stall. A
// quiet switch is healthy. Throws std::system_error (no descriptor).
[[nodiscard]] PORTSYNC_API std::unique_ptr<HealthMonitor> make_deadline_health_monitor(
    const DeadlineHealthOptions& options);

}  // namespace portsync
