// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <optional>
#include <portsync/health_monitor.hpp>
#include <vector>

#include "core/health.hpp"

namespace portsync::core {

// Turns a series of judgements into reports: a worse one is reported at once, a better one after it has lasted. Pure.
class HealthState {
 public:
  using WallTime = std::chrono::system_clock::time_point;
  static constexpr std::size_t longest_history = 100;

  explicit HealthState(const HealthOptions& options) : options_(options) {}

  void set_options(const HealthOptions& options);
  void set_report(const HealthReport& report) { report_ = report; }
  void set_condition(const std::string& name, const Health& condition) { conditions_[name] = condition; }

  // Judges the report at this time. Returns the former health() if it has changed. `now` must not decrease from call to
  // call.
  std::optional<Health> judge(TimePoint now, WallTime time);

  [[nodiscard]] const Health& health() const noexcept { return health_; }
  // Returns when judge() is due even if nothing else happens.
  [[nodiscard]] std::optional<TimePoint> next_change() const noexcept { return next_change_; }
  [[nodiscard]] std::vector<HealthTransition> history() const { return {history_.begin(), history_.end()}; }

 private:
  void note(TroubleKind kind, TimePoint now);
  std::optional<Health> report(Trouble trouble, TimePoint now, WallTime time);
  std::optional<Health> renew_numbers(const Trouble& trouble, TimePoint now);

  HealthOptions options_;
  HealthReport report_;
  Conditions conditions_;
  RatesOver over_;
  // At the start the worst kind: any judgement is better, and is reported at once.
  Trouble reported_{TroubleKind::bad_condition, "", ""};
  Health health_;
  TimePoint reported_at_;
  bool started_ = false;  // it has been healthy once
  // For each kind: since when nothing worse has been found.
  std::array<std::optional<TimePoint>, kind_count> no_worse_since_;
  std::optional<TimePoint> next_change_;
  std::deque<HealthTransition> history_;
};

}  // namespace portsync::core
