// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <portsync/health_monitor.hpp>
#include <string>

namespace portsync::core {

// The kinds of trouble, from the best to the worst. If there are several, the greatest is reported. Among equally bad
// ones the first cause is reported: first the kernel's side, then the store's, then single rows, then rates.
enum class TroubleKind : std::uint8_t {
  none,
  // degraded
  sync_rate,
  latency,
  failures,
  refused,
  store,
  not_compared,
  left_alone,
  not_open,
  resync,
  no_snapshot,
  condition,
  deaf,
  // unhealthy
  too_many_failures,
  pending_too_long,
  refused_too_long,
  deaf_too_long,
  bad_condition,
};
constexpr std::size_t kind_count = 18;

[[nodiscard]] Verdict verdict_of(TroubleKind kind) noexcept;

struct Trouble {
  TroubleKind kind = TroubleKind::none;
  std::string subject;  // with the kind, everything in the reason except its numbers
  std::string reason;
};

// Which rates exceed their limits. A rate stops doing so only when it is clearly back within its limit.
struct RatesOver {
  bool sync_rate = false;
  bool latency = false;
  bool failures = false;
  bool too_many_failures = false;
};

struct Judgement {
  Trouble worst;
  // When the judgement of this same report would change by the passage of time alone.
  std::optional<TimePoint> next_change;
};

// Faults that the caller found, by the names it gave them.
using Conditions = std::map<std::string, Health>;

// Judges a report. Pure. `over` holds the result of the previous judgement, and is updated.
[[nodiscard]] Judgement judge(const HealthReport& report, const Conditions& conditions, const HealthOptions& options,
                              RatesOver& over, TimePoint now);

}  // namespace portsync::core
