// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <portsync/pollable.hpp>

namespace portsyncd {

// Limits the time that the loop spends on requests: a tenth for each user, a fifth for all users together. A short
// burst is free, so that a single request is served at once. Has no clock: the time is an argument.
class TimeShare {
 public:
  using TimePoint = portsync::TimePoint;
  using Duration = portsync::Clock::duration;

  static constexpr int user_share = 10;                  // 1/10 of the time
  static constexpr int total_share = 5;                  // 1/5 of the time
  static constexpr std::chrono::milliseconds burst{50};  // of debt that does not delay a request

  // Records that the loop has spent this time on a request of this user.
  void charge(uid_t user, Duration spent, TimePoint now);

  // Returns when the loop may serve this user's next request. A time that is not after the current time means at once.
  [[nodiscard]] TimePoint next(uid_t user) const;

 private:
  std::map<uid_t, TimePoint> paid_;  // when each user's debt is paid off; users without debt are absent
  TimePoint all_paid_;
};

}  // namespace portsyncd
