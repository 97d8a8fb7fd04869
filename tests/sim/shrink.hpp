// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/judge.hpp"
#include "sim/scenario.hpp"

namespace sim {

// Returns a scenario with fewer steps, shorter delays and less noise that breaks the same rule. Takes at most a minute.
[[nodiscard]] Scenario shrink(const Scenario& scenario, const Failure& failure);

}  // namespace sim
