// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <portsync/export.hpp>
#include <system_error>

namespace portsync {

// The library's clock: CLOCK_MONOTONIC.
using Clock = std::chrono::steady_clock;
// A moment on that clock.
using TimePoint = Clock::time_point;

// An object that any event loop can drive: wait for one descriptor, call one function.
//
// Wait until fd() is readable, level-triggered, then call process(). The descriptor stays the same for the object's
// life, across reconnects, and covers the object's timers. process() never blocks. One call does a bounded amount of
// work (at most 1,024 messages or about 1 ms) and leaves fd() readable if more waits. With edge-triggered polling, call
// process() until poll(2) with a timeout of 0 no longer reports fd() as readable, because a single call loses wake-ups.
//
// Handlers and observers run only inside process(), on the calling thread. They may call the object's other members. If
// one throws, the exception leaves process() and the object stays valid. A handler must not call process() again or
// destroy the object: a library built with assertions (without NDEBUG) then ends the program.
//
// Threads: an object belongs to one thread at a time, and may move to another thread later. The objects that it borrows
// (a Synchronizer's source, sinks and monitor) move with it. Different objects may be used by different threads at
// once.
class PORTSYNC_API Pollable {
 public:
  Pollable() = default;
  Pollable(const Pollable&) = delete;
  Pollable& operator=(const Pollable&) = delete;
  virtual ~Pollable();

  // Returns the descriptor, which the object owns: do not read, write or close it.
  [[nodiscard]] virtual int fd() const noexcept = 0;

  // Does the work that is due, which may be none: it may be called at any time. An error is final: the object will not
  // work again. A fault that the object can recover from (a lost connection, an overrun) is not an error.
  [[nodiscard]] virtual std::error_code process() = 0;
};

}  // namespace portsync
