// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <portsync/health_monitor.hpp>

namespace portsync::core {

struct Judgement {
  Health health;
  // When the verdict of this same report would change, if nothing else happens.
  std::optional<TimePoint> next_change;
};

// The rules of the deadline monitor. The reason is the first of the worst troubles, from the kernel's side to Redis'. A
// quiet switch is healthy. Pure.
[[nodiscard]] Judgement judge(const HealthReport& report, const DeadlineHealthOptions& options, TimePoint now);

}  // namespace portsync::core
