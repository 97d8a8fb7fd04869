// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace portsyncd {

// Waits for descriptors, signals and timers in one thread, with epoll. Throws std::system_error.
class EventLoop {
 public:
  using Handler = std::function<void()>;

  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  // Calls the handler whenever the descriptor is readable (level-triggered), until the loop is destroyed.
  void on_readable(int fd, Handler handler);

  // The process that sent a signal; pid 0 = the kernel, or a process in another PID namespace.
  struct Sender {
    std::int64_t uid = 0;
    std::int64_t pid = 0;
  };
  using SignalHandler = std::function<void(const Sender&)>;

  // Calls the handler for each signal of this number, before handlers of descriptors. Blocks the signal in the calling
  // thread, so call it before another thread exists.
  void on_signal(int number, SignalHandler handler);

  // Call the handler periodically, or once. Timers use CLOCK_MONOTONIC. They are served before descriptors, because a
  // busy descriptor must not delay the watchdog's ping.
  void every(std::chrono::milliseconds period, Handler handler);
  void after(std::chrono::milliseconds delay, Handler handler);

  // Runs the loop. Returns the status that exit() received. Lets an exception of a handler pass.
  [[nodiscard]] int run();

  // Makes run() return `status` when the calling handler has returned. Only the first call has an effect.
  void exit(int status);

  // Watches a descriptor that comes and goes, such as a client's, as long as this object exists. Its own handler may
  // destroy it. Destroy it before the loop, and before the descriptor is closed.
  class Watch {
   public:
    // The handler receives those of `events` (EPOLLIN, EPOLLOUT) that occurred, and always EPOLLHUP and EPOLLERR.
    using Handler = std::function<void(std::uint32_t events)>;

    Watch(EventLoop& loop, int fd, std::uint32_t events, Handler handler);
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch();

    void set_events(std::uint32_t events);

   private:
    class Impl;
    std::unique_ptr<Impl> impl_;
  };

  // A timer that can be stopped and started again. Fires once for each start().
  class Timer {
   public:
    Timer(EventLoop& loop, Handler handler);
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer();

    void start(std::chrono::milliseconds delay);
    void stop();

   private:
    class Impl;
    std::unique_ptr<Impl> impl_;
  };

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace portsyncd
