// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cassert>

namespace portsync::os {

// Records whether an object is inside process(), or calls a handler from elsewhere. It must be the object's last
// member, so that it is destroyed first. Its destructor asserts that no handler of the object destroys the object,
// while all other members still exist.
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

// Held while process() runs. Asserts that no handler calls process() again. Works also when a handler throws.
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

// Held while a handler runs that functions other than process() call, too. The handler may call those functions.
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
