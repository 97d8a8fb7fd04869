// SPDX-License-Identifier: Apache-2.0
#include "core/resync_policy.hpp"

#include <algorithm>

namespace portsync::core {

TimePoint ResyncPolicy::on_loss(TimePoint now) {
  if (losses_ > 0 && now - last_loss_ >= forget_after) losses_ = 0;
  last_loss_ = now;
  if (waiting_) return allowed_;
  waiting_ = true;
  allowed_ = now;
  if (losses_ >= immediate) {
    const int doublings = std::min(losses_ - immediate, 7);
    allowed_ += std::min(first_pause * (1 << doublings), longest_pause);
  }
  ++losses_;
  return allowed_;
}

}  // namespace portsync::core
