// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cassert>

namespace portsync::os {

// Whether an object is inside process(), or calls a handler from elsewhere. A member of the object, and its last one:
// so that it is destroyed first, and asserts that no handler of the object destroys it, while all of it is still there.
class ProcessFlag {
 public:
  ProcessFlag() = default;
  ProcessFlag(const ProcessFlag&) = delete;
  ProcessFlag& operator=(const ProcessFlag&) = delete;
  ~ProcessFlag() { assert(depth_ == 0 && "destroyed by a handler of its own"); }

  explicit operator bool() const noexcept { return depth_ != 0; }

 private:
  friend class ProcessGuard;
  friend class HandlerGuard;
  int depth_ = 0;
};

// Held while process() runs: asserts that it is not entered again from a handler. Also right when a handler throws.
class ProcessGuard {
 public:
  explicit ProcessGuard(ProcessFlag& flag) noexcept : flag_(flag) {
    assert(flag_.depth_ == 0 && "process() called from a handler of the same object");
    ++flag_.depth_;
  }
  ProcessGuard(const ProcessGuard&) = delete;
  ProcessGuard& operator=(const ProcessGuard&) = delete;
  ~ProcessGuard() { --flag_.depth_; }

 private:
  ProcessFlag& flag_;
};

// Held while a handler is called that other functions than process() call, too; these may be called by the handler.
class HandlerGuard {
 public:
  explicit HandlerGuard(ProcessFlag& flag) noexcept : flag_(flag) { ++flag_.depth_; }
  HandlerGuard(const HandlerGuard&) = delete;
  HandlerGuard& operator=(const HandlerGuard&) = delete;
  ~HandlerGuard() { --flag_.depth_; }

 private:
  ProcessFlag& flag_;
};

}  // namespace portsync::os
