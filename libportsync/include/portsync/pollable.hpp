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
// Wait until fd() is readable, level-triggered, then call process(). The descriptor stays the same for the object's
// life, across reconnects, and covers the object's timers. process() never blocks and does a bounded amount of work (at
// most 1,024 messages or about 1 ms), leaving fd() readable if more waits. Who has to wait edge-triggered must call
// process() until poll(2) with a time limit of 0 says that fd() is not readable: one call loses wake-ups.
//
// Handlers and observers run only inside process(), on the calling thread. They may call the object's other members.
// An exception of theirs leaves process() with the object still valid. Calling process() again from inside it, or
// destroying the object there, is an error: a library built with assertions (not with NDEBUG) ends the program.
//
// Threads: an object belongs to one thread at a time, which may be another one later, and so do the objects that it
// borrows (a Synchronizer's source, sinks and monitor). Different objects may be used by different threads at once.
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
