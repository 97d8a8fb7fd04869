// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <portsync/export.hpp>
#include <system_error>

namespace portsync {

// The library's time: CLOCK_MONOTONIC.
using Clock = std::chrono::steady_clock;
// A moment of it.
using TimePoint = Clock::time_point;

// An object that any event loop can drive: one descriptor to wait for, one function to call.
//
// Wait until fd() is readable, level-triggered (an edge-triggered wait loses wake-ups), then call process(). The
// descriptor stays the same for the object's life, across reconnects, and covers the object's timers. process() never
// blocks and does a bounded amount of work (at most 1,024 messages or about 1 ms), leaving fd() readable if more waits.
//
// Handlers and observers run only inside process(), on the calling thread. They may call the object's other members.
// An exception of theirs leaves process() with the object still valid. Calling process() again from inside it, or
// destroying the object there, is an error that asserts.
//
// Threads: an object belongs to one thread at a time; different objects may be used by different threads.
class PORTSYNC_API Pollable {
 public:
  Pollable() = default;
  Pollable(const Pollable&) = delete;
  Pollable& operator=(const Pollable&) = delete;
  virtual ~Pollable();

  // The descriptor, owned by the object: do not read, write or close it.
  [[nodiscard]] virtual int fd() const noexcept = 0;

  // Does what is due, which may be nothing: it may be called at any time. An error is final: the object will not work
  // again. Trouble that the object can mend itself (a lost connection, an overrun) is not an error.
  [[nodiscard]] virtual std::error_code process() = 0;
};

}  // namespace portsync
