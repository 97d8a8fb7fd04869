// SPDX-License-Identifier: Apache-2.0
#include "faces/socket/time_share.hpp"

#include <algorithm>

namespace portsyncd {

// Time that passes pays off a debt. A share of 1/N therefore means a debt of N times the time spent.
void TimeShare::charge(uid_t user, Duration spent, TimePoint now) {
  std::erase_if(paid_, [now](const auto& entry) { return entry.second <= now; });
  TimePoint& paid = paid_[user];
  paid = std::max(paid, now) + spent * user_share;
  all_paid_ = std::max(all_paid_, now) + spent * total_share;
}

TimeShare::TimePoint TimeShare::next(uid_t user) const {
  const auto found = paid_.find(user);
  const TimePoint own = found == paid_.end() ? TimePoint() : found->second - burst;
  return std::max(own, all_paid_ - burst);
}

}  // namespace portsyncd
