// SPDX-License-Identifier: Apache-2.0
#include "os/clock.hpp"

namespace portsync::os {

TimePoint now() noexcept {
  return Clock::now();
}

std::chrono::system_clock::time_point wall_time() noexcept {
  return std::chrono::system_clock::now();
}

}  // namespace portsync::os
