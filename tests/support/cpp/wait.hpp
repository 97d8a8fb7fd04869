// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <portsync/pollable.hpp>

namespace portsync::test {

// Drives one Pollable until the condition holds; fails the test when it does not within the limit.
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

// True when the descriptor is readable now.
inline bool readable(const Pollable& pollable) {
  pollfd waiting{pollable.fd(), POLLIN, 0};
  return ::poll(&waiting, 1, 0) > 0;
}

// Drives it until there is nothing to do. What was waited for may come with a turn that ended at its limit: that asks for
// one more, which finds nothing.
inline void process_until_idle(Pollable& pollable) {
  process_until(pollable, [&pollable] { return !readable(pollable); });
}

}  // namespace portsync::test
