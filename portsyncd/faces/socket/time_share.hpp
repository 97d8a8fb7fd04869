// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <portsync/pollable.hpp>

namespace portsyncd {

// Limits the time that the loop spends on questions: a tenth for each user, a fifth for all users together. A short
// burst is free, so that a single question is answered at once. Pure: the time is an argument.
class TimeShare {
 public:
  using TimePoint = portsync::TimePoint;
  using Duration = portsync::Clock::duration;

  static constexpr int user_share = 10;  // one part of so many
  static constexpr int total_share = 5;
  static constexpr std::chrono::milliseconds burst{50};  // of debt that may be open

  // The loop has just spent this time on a question of this user.
  void charge(uid_t user, Duration spent, TimePoint now);

  // When the loop may work on this user's next question. A time that is not after `now` means at once.
  [[nodiscard]] TimePoint next(uid_t user) const;

 private:
  std::map<uid_t, TimePoint> paid_;  // when each user's debt is paid off; without those that have none
  TimePoint all_paid_;
};

}  // namespace portsyncd
