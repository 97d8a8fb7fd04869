// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace portsyncd {

// The changes that a reload makes, and those that it cannot make.
struct ReloadPlan {
  Config next;                             // the running configuration, with the changes that can be applied live
  std::vector<std::string> applied;        // "ports.match = [\"eth*\"], was [\"Ethernet*\"]"
  std::vector<std::string> needs_restart;  // in the same form; these values stay in effect as they were
};

[[nodiscard]] ReloadPlan plan_reload(const Config& running, const Config& wanted);

}  // namespace portsyncd
