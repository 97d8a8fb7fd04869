// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace portsyncd {

// What a reload makes of the configuration that runs and the one that is wanted.
struct ReloadPlan {
  Config next;                             // the running one, with what can change while it runs
  std::vector<std::string> applied;        // "ports.match = [\"eth*\"], was [\"Ethernet*\"]"
  std::vector<std::string> needs_restart;  // the same; still as it was
};

[[nodiscard]] ReloadPlan plan_reload(const Config& running, const Config& wanted);

}  // namespace portsyncd
