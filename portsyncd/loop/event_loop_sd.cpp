// SPDX-License-Identifier: Apache-2.0
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <system_error>
#include <utility>

#include "loop/event_loop.hpp"

namespace portsyncd {
namespace {

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::system_category(), what);
  return result;
}

// When that is on CLOCK_MONOTONIC, from now: sd-event's own relative times count from the loop's last wake-up, and are
// over too early by what the handlers have taken since.
std::uint64_t time_after(std::chrono::milliseconds delay) {
  const auto time = std::chrono::steady_clock::now().time_since_epoch() + delay;
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::microseconds>(time).count());
}

// How much later than it is due a timer may be told, so that several cost one wake-up: as a rule sd-event waits for all
// of it.
std::uint64_t accuracy(std::chrono::milliseconds delay) {
  const std::chrono::microseconds tenth = std::chrono::microseconds(delay) / 10;
  return static_cast<std::uint64_t>(std::clamp<std::int64_t>(tenth.count(), 1, 10'000));
}

}  // namespace

class EventLoop::Impl {
 public:
  Impl() { checked(sd_event_new(&event_), "sd_event_new"); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    for (Source& source : sources_) sd_event_source_disable_unref(source.source);
    sd_event_unref(event_);
  }

  void on_readable(int fd, Handler handler) {
    Source& source = add(std::move(handler));
    checked(sd_event_add_io(event_, &source.source, fd, EPOLLIN, on_io, &source), "sd_event_add_io");
  }

  void on_signal(int number, Handler handler) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    const int blocked = pthread_sigmask(SIG_BLOCK, &set, nullptr);  // sd_event_add_signal() demands it
    if (blocked != 0) throw std::system_error(blocked, std::system_category(), "pthread_sigmask");
    Source& source = add(std::move(handler));
    checked(sd_event_add_signal(event_, &source.source, number, on_signalled, &source), "sd_event_add_signal");
    prefer(source);
  }

  void add_timer(std::chrono::milliseconds delay, bool again, Handler handler) {
    Source& source = add(std::move(handler));
    source.period = delay;
    source.again = again;
    checked(sd_event_add_time(event_, &source.source, CLOCK_MONOTONIC, time_after(delay), accuracy(delay), on_time,
                              &source),
            "sd_event_add_time");
    prefer(source);
  }

  int run() {
    const int status = checked(sd_event_loop(event_), "sd_event_loop");
    if (thrown_) std::rethrow_exception(thrown_);
    return status;
  }

  void exit(int status) {
    if (std::exchange(exiting_, true)) return;
    checked(sd_event_exit(event_, status), "sd_event_exit");
  }

  [[nodiscard]] sd_event* event() const noexcept { return event_; }

  // Nothing is thrown through sd-event's C frames.
  template <typename Function>
  int guarded(Function function) noexcept {
    try {
      if (!exiting_) function();
    } catch (...) {
      thrown_ = std::current_exception();
      exiting_ = true;
      (void)sd_event_exit(event_, 0);
    }
    return 0;
  }

 private:
  struct Source {
    Impl* loop;
    Handler handler;
    sd_event_source* source = nullptr;
    std::chrono::milliseconds period{0};
    bool again = true;
  };

  Source& add(Handler handler) { return sources_.emplace_back(Source{this, std::move(handler)}); }

  static void prefer(const Source& source) {
    checked(sd_event_source_set_priority(source.source, SD_EVENT_PRIORITY_IMPORTANT), "sd_event_source_set_priority");
  }

  void fire(Source& source) {
    if (source.again) {
      checked(sd_event_source_set_time(source.source, time_after(source.period)), "sd_event timer");
      checked(sd_event_source_set_enabled(source.source, SD_EVENT_ONESHOT), "sd_event timer");
      return source.handler();
    }
    const Handler handler = std::move(source.handler);
    sd_event_source_disable_unref(source.source);
    sources_.remove_if([&source](const Source& other) { return &other == &source; });
    handler();
  }

  static int on_io(sd_event_source*, int, std::uint32_t, void* data) noexcept { return call(data); }
  static int on_signalled(sd_event_source*, const signalfd_siginfo*, void* data) noexcept { return call(data); }
  static int on_time(sd_event_source*, std::uint64_t, void* data) noexcept {
    auto* source = static_cast<Source*>(data);
    return source->loop->guarded([source] { source->loop->fire(*source); });
  }
  static int call(void* data) noexcept {
    auto* source = static_cast<Source*>(data);
    return source->loop->guarded([source] { source->handler(); });
  }

  sd_event* event_ = nullptr;
  std::list<Source> sources_;  // sd-event keeps their addresses
  std::exception_ptr thrown_;
  bool exiting_ = false;
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::on_readable(int fd, Handler handler) {
  impl_->on_readable(fd, std::move(handler));
}

void EventLoop::on_signal(int number, Handler handler) {
  impl_->on_signal(number, std::move(handler));
}

void EventLoop::every(std::chrono::milliseconds period, Handler handler) {
  impl_->add_timer(period, true, std::move(handler));
}

void EventLoop::after(std::chrono::milliseconds delay, Handler handler) {
  impl_->add_timer(delay, false, std::move(handler));
}

int EventLoop::run() {
  return impl_->run();
}

void EventLoop::exit(int status) {
  impl_->exit(status);
}

class EventLoop::Watch::Impl {
 public:
  Impl(EventLoop::Impl& loop, int fd, std::uint32_t events, Handler handler)
      : loop_(loop), handler_(std::make_shared<Handler>(std::move(handler))) {
    checked(sd_event_add_io(loop.event(), &source_, fd, events, on_io, this), "sd_event_add_io");
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { sd_event_source_disable_unref(source_); }

  void set_events(std::uint32_t events) {
    checked(sd_event_source_set_io_events(source_, events), "sd_event_source_set_io_events");
  }

 private:
  static int on_io(sd_event_source*, int, std::uint32_t events, void* data) noexcept {
    auto* self = static_cast<Impl*>(data);
    const auto handler = self->handler_;  // the watch may end in it
    return self->loop_.guarded([&handler, events] { (*handler)(events); });
  }

  EventLoop::Impl& loop_;
  std::shared_ptr<Handler> handler_;
  sd_event_source* source_ = nullptr;
};

EventLoop::Watch::Watch(EventLoop& loop, int fd, std::uint32_t events, Handler handler)
    : impl_(std::make_unique<Impl>(*loop.impl_, fd, events, std::move(handler))) {}
EventLoop::Watch::~Watch() = default;

void EventLoop::Watch::set_events(std::uint32_t events) {
  impl_->set_events(events);
}

class EventLoop::Timer::Impl {
 public:
  Impl(EventLoop::Impl& loop, Handler handler) : loop_(loop), handler_(std::make_shared<Handler>(std::move(handler))) {
    checked(sd_event_add_time(loop.event(), &source_, CLOCK_MONOTONIC, 0, 1, on_time, this), "sd_event_add_time");
    stop();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { sd_event_source_disable_unref(source_); }

  void start(std::chrono::milliseconds delay) {
    checked(sd_event_source_set_time(source_, time_after(delay)), "sd_event timer");
    checked(sd_event_source_set_time_accuracy(source_, accuracy(delay)), "sd_event timer");
    checked(sd_event_source_set_enabled(source_, SD_EVENT_ONESHOT), "sd_event timer");
  }
  void stop() { checked(sd_event_source_set_enabled(source_, SD_EVENT_OFF), "sd_event timer"); }

 private:
  static int on_time(sd_event_source*, std::uint64_t, void* data) noexcept {
    auto* self = static_cast<Impl*>(data);
    const auto handler = self->handler_;  // the timer may end in it
    return self->loop_.guarded([&handler] { (*handler)(); });
  }

  EventLoop::Impl& loop_;
  std::shared_ptr<Handler> handler_;
  sd_event_source* source_ = nullptr;
};

EventLoop::Timer::Timer(EventLoop& loop, Handler handler)
    : impl_(std::make_unique<Impl>(*loop.impl_, std::move(handler))) {}
EventLoop::Timer::~Timer() = default;

void EventLoop::Timer::start(std::chrono::milliseconds delay) {
  impl_->start(delay);
}

void EventLoop::Timer::stop() {
  impl_->stop();
}

}  // namespace portsyncd
