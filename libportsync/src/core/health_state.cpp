// SPDX-License-Identifier: Apache-2.0
#include "core/health_state.hpp"

#include <utility>

#include "core/earliest.hpp"

namespace portsync::core {
namespace {

// How often to report a reason in which only numbers have changed, because each report is a line in a log.
constexpr std::chrono::minutes numbers_interval{1};

}  // namespace

// A rate that exceeded its old limit is judged by the new limit alone.
void HealthState::set_options(const HealthOptions& options) {
  options_ = options;
  over_ = {};
}

std::optional<Health> HealthState::judge(TimePoint now, WallTime time) {
  Judgement judgement = core::judge(report_, conditions_, options_, over_, now);
  next_change_ = judgement.next_change;
  Trouble& worst = judgement.worst;
  note(worst.kind, now);
  if (worst.kind == reported_.kind && worst.subject == reported_.subject) return renew_numbers(worst, now);
  if (started_ && worst.kind < reported_.kind) {
    const TimePoint when =
        no_worse_since_.at(static_cast<std::size_t>(worst.kind)).value_or(now) + options_.settle_time;
    if (now < when) {
      next_change_ = earliest(next_change_, when);
      return std::nullopt;
    }
  }
  return report(std::move(worst), now, time);
}

void HealthState::note(TroubleKind kind, TimePoint now) {
  for (std::size_t i = 0; i < kind_count; ++i) {
    std::optional<TimePoint>& since = no_worse_since_.at(i);
    if (i < static_cast<std::size_t>(kind)) {
      since.reset();
    } else if (!since) {
      since = now;
    }
  }
}

std::optional<Health> HealthState::report(Trouble trouble, TimePoint now, WallTime time) {
  reported_ = std::move(trouble);
  reported_at_ = now;
  Health before = std::exchange(health_, {verdict_of(reported_.kind), reported_.reason});
  started_ = started_ || reported_.kind == TroubleKind::none;
  if (history_.size() == longest_history) history_.pop_front();
  history_.push_back({before, health_, now, time});
  return before;
}

std::optional<Health> HealthState::renew_numbers(const Trouble& trouble, TimePoint now) {
  if (trouble.reason == health_.reason || now < reported_at_ + numbers_interval) return std::nullopt;
  reported_at_ = now;
  Health before = std::exchange(health_, {health_.verdict, trouble.reason});
  history_.back().now = health_;
  return before;
}

}  // namespace portsync::core
