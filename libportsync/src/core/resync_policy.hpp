// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <portsync/pollable.hpp>

namespace portsync::core {

// Decides when a snapshot may follow a loss. The first few follow at once, because a snapshot costs milliseconds and
// stale rows cost more. During a stream of losses, snapshots become rarer, down to one a second, but never stop.
class ResyncPolicy {
 public:
  static constexpr int immediate = 3;
  static constexpr std::chrono::milliseconds first_pause{10};
  static constexpr std::chrono::milliseconds longest_pause{1000};
  // After this long without a loss, the next one counts as the first.
  static constexpr std::chrono::milliseconds forget_after{2000};

  // A loss was noticed. Returns when its snapshot may start. The time returned for an earlier loss that still waits
  // stays valid.
  TimePoint on_loss(TimePoint now);

  // The snapshot has been started.
  void on_started() noexcept { waiting_ = false; }

 private:
  int losses_ = 0;
  bool waiting_ = false;
  TimePoint last_loss_;
  TimePoint allowed_;
};

}  // namespace portsync::core
