// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <portsync/pollable.hpp>

namespace portsync::test {

// Drives one Pollable until the condition holds. Fails the test if it does not within the limit.
template <typename Condition>
void process_until(Pollable& pollable, Condition condition,
                   std::chrono::milliseconds limit = std::chrono::seconds(10)) {
  const TimePoint deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() >= deadline) BOOST_FAIL("the condition did not come true in time");
    pollfd waiting{pollable.fd(), POLLIN, 0};
    if (::poll(&waiting, 1, 20) > 0) BOOST_REQUIRE(!pollable.process());
  }
}

// Returns whether the descriptor is readable now.
inline bool readable(const Pollable& pollable) {
  pollfd waiting{pollable.fd(), POLLIN, 0};
  return ::poll(&waiting, 1, 0) > 0;
}

// Drives one Pollable until it has nothing to do. A turn that ended at its limit requests another one, which may find
// nothing.
inline void process_until_idle(Pollable& pollable) {
  process_until(pollable, [&pollable] { return !readable(pollable); });
}

}  // namespace portsync::test
