// SPDX-License-Identifier: Apache-2.0
#include "os/clock.hpp"

#include "sim/world.hpp"

namespace portsync::os {

TimePoint now() noexcept {
  return TimePoint(std::chrono::nanoseconds(sim::World::current().look_at_clock()));
}

std::chrono::system_clock::time_point wall_time() noexcept {
  constexpr std::chrono::seconds start{1'800'000'000};  // the simulated machine's start, since 1970
  return std::chrono::system_clock::time_point(start + std::chrono::nanoseconds(sim::World::current().now()));
}

}  // namespace portsync::os
