// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <portsync/health_monitor.hpp>
#include <string>

namespace portsync::core {

// What may be amiss, from the best to the worst: of several the greatest is told. Of equally bad ones that is the first
// cause: from the kernel's side to the store's, then single rows, then rates.
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
  std::string subject;  // what it is about: with the kind, all of the reason but its numbers
  std::string reason;
};

// Which rates are over their limits. One that is ends only when it is clearly back.
struct RatesOver {
  bool sync_rate = false;
  bool latency = false;
  bool failures = false;
  bool too_many_failures = false;
};

struct Judgement {
  Trouble worst;
  // When the judgement of this same report would change, if nothing else happens.
  std::optional<TimePoint> next_change;
};

// What the caller itself has found amiss, by its names.
using Conditions = std::map<std::string, Health>;

// Pure. `over` is what the judgement before left, and is brought up to date.
[[nodiscard]] Judgement judge(const HealthReport& report, const Conditions& conditions, const HealthOptions& options,
                              RatesOver& over, TimePoint now);

}  // namespace portsync::core
