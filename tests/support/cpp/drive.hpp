// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <portsync/pollable.hpp>
#include <vector>

#include "support/cpp/sink_harness.hpp"

namespace portsync::test {

// Drives one Pollable, and the parts beside it, until the condition holds. Returns false if it does not within the
// limit.
template <typename Condition>
bool drive_until(Pollable& pollable, const std::vector<Part*>& parts, Condition condition,
                 std::chrono::milliseconds limit = std::chrono::seconds(10)) {
  const TimePoint deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() >= deadline) return false;
    std::vector<pollfd> watched{{pollable.fd(), POLLIN, 0}};
    for (const Part* part : parts) part->watch(watched);
    ::poll(watched.data(), watched.size(), 20);
    for (Part* part : parts) part->step();
    if (watched.front().revents != 0) BOOST_REQUIRE(!pollable.process());
  }
  return true;
}

}  // namespace portsync::test
