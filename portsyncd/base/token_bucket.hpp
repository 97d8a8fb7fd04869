// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>

namespace portsyncd {

// Allows `burst` at once and `per_second` in the long run. The time is an argument, so that tests need not wait.
class TokenBucket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  TokenBucket(double per_second, double burst) : per_second_(per_second), burst_(burst), tokens_(burst) {}

  [[nodiscard]] bool take(TimePoint now) {
    const std::chrono::duration<double> passed = now - last_;
    last_ = std::max(last_, now);
    tokens_ = std::min(burst_, tokens_ + std::max(0.0, passed.count()) * per_second_);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double per_second_;
  double burst_;
  double tokens_;
  TimePoint last_{};
};

}  // namespace portsyncd
