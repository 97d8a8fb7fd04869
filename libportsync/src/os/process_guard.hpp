// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cassert>

namespace portsync::os {

// Held while process() runs: asserts that it is not entered again from a handler. Also right when a handler throws.
class ProcessGuard {
 public:
  explicit ProcessGuard(bool& processing) noexcept : processing_(processing) {
    assert(!processing_ && "process() called from a handler of the same object");
    processing_ = true;
  }
  ProcessGuard(const ProcessGuard&) = delete;
  ProcessGuard& operator=(const ProcessGuard&) = delete;
  ~ProcessGuard() { processing_ = false; }

 private:
  bool& processing_;
};

}  // namespace portsync::os
