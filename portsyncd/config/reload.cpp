// SPDX-License-Identifier: Apache-2.0
#include "config/reload.hpp"

namespace portsyncd {

ReloadPlan plan_reload(const Config& running, const Config& wanted) {
  ReloadPlan plan;
  plan.next = running;
  const bool sonic = running.sync.mode == "sonic";  // its pending links were chosen by ports.match
  for (const Key& key : keys()) {
    const Value before = value_of(running, key);
    const Value now = value_of(wanted, key);
    if (now == before) continue;
    std::string change = full_name(key) + " = " + to_toml(now) + ", was " + to_toml(before);
    if (key.effect != Key::Effect::live || (sonic && full_name(key) == "ports.match")) {
      plan.needs_restart.push_back(std::move(change));
      continue;
    }
    (void)apply(plan.next, {&key, now, "", Problem::Severity::error});  // the value is known to be valid
    plan.applied.push_back(std::move(change));
  }
  return plan;
}

}  // namespace portsyncd
