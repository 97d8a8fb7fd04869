// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <portsync/pollable.hpp>

namespace portsync::core {

// When a snapshot may follow a loss. The first few follow at once, since a snapshot costs milliseconds and stale rows
// cost more; a stream of losses is then answered ever more rarely, down to one snapshot a second, and never given up.
class ResyncPolicy {
 public:
  static constexpr int immediate = 3;
  static constexpr std::chrono::milliseconds first_pause{10};
  static constexpr std::chrono::milliseconds longest_pause{1000};
  // Without a loss for this long, the next one is the first again.
  static constexpr std::chrono::milliseconds forget_after{2000};

  // A loss was noticed: when its snapshot may start. Does not move what an earlier loss, still waiting, was told.
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
