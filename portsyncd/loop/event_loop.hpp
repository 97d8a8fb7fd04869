// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace portsyncd {

// Descriptors, signals and timers of one thread, on epoll. Throws std::system_error.
class EventLoop {
 public:
  using Handler = std::function<void()>;

  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  // Called whenever the descriptor is readable (level-triggered), for ever.
  void on_readable(int fd, Handler handler);

  // The process that sent a signal; pid 0 = the kernel, or a process of another namespace.
  struct Sender {
    std::int64_t uid = 0;
    std::int64_t pid = 0;
  };
  using SignalHandler = std::function<void(const Sender&)>;

  // Blocks the signal in the calling thread, so do it before there is another. Goes before descriptors.
  void on_signal(int number, SignalHandler handler);

  // Timers are told from CLOCK_MONOTONIC and go before descriptors: a busy one must not keep the watchdog's ping back.
  void every(std::chrono::milliseconds period, Handler handler);
  void after(std::chrono::milliseconds delay, Handler handler);

  // Returns what exit() was given. What a handler throws comes out here.
  [[nodiscard]] int run();

  // From a handler: run() returns when it has. The first call counts.
  void exit(int status);

  // A descriptor that comes and goes, a client's. Watched for as long as this lives, which may end in its own handler;
  // goes before the loop does, and before the descriptor is closed.
  class Watch {
   public:
    // The handler is given what has happened of `events` (EPOLLIN, EPOLLOUT; EPOLLHUP and EPOLLERR always).
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

  // A timer that may be stopped, and started again. Fires once for each start().
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
