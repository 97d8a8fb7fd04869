// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <portsync/pollable.hpp>

namespace portsync::redis {

// The time limit of a reply, which is for silence: each complete reply, and each KiB of an incomplete one, extends it.
// So a slow but steady link has the time that it needs, and a link that stalls is given up after `timeout`, however
// large the reply was until then. A link that is slower than a KiB per `timeout` counts as silent. A reply of n KiB is
// thus given up after n + 1 times `timeout` at the latest. Pure: the time is an argument.
class AnswerClock {
 public:
  static constexpr std::size_t step = 1024;  // bytes

  // A complete reply has arrived.
  void on_reply(TimePoint now) noexcept {
    progress_ = now;
    steps_ = 0;
  }
  // Bytes have arrived. `incomplete`: how many bytes of an incomplete reply there are by now.
  void on_bytes(std::size_t incomplete, TimePoint now) noexcept {
    const std::size_t steps = incomplete / step;
    if (steps > steps_) progress_ = now;
    steps_ = steps;
  }
  // Returns when the connection is given up. `since`: when the oldest request without a reply was sent.
  [[nodiscard]] TimePoint deadline(TimePoint since, std::chrono::milliseconds timeout) const noexcept {
    return std::max(since, progress_) + timeout;
  }

 private:
  TimePoint progress_;
  std::size_t steps_ = 0;  // of the incomplete reply
};

}  // namespace portsync::redis
