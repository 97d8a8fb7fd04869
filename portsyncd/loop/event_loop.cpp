// SPDX-License-Identifier: Apache-2.0
#include "loop/event_loop.hpp"

#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "os/system.hpp"

namespace portsyncd {
namespace {

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::system_category(), what);
  return result;
}

int make_timer_fd() {
  return checked(os::timer_create(), "timerfd_create");
}

void set_timer(int fd, std::chrono::nanoseconds delay, bool again) {
  delay = std::max(delay, std::chrono::nanoseconds(1));  // 0 would disarm it
  checked(os::timer_set(fd, delay, again ? delay : std::chrono::nanoseconds(0)), "timerfd_settime");
}

}  // namespace

class EventLoop::Impl {
 public:
  enum class Kind : std::uint8_t { borrowed, watched, signal, timer };

  struct Source {
    Kind kind;
    int fd;
    std::function<void(std::uint32_t events)> handler;
    bool gone = false;  // removed, but may still be in the array of ready ones

    [[nodiscard]] bool is_owned() const noexcept { return kind != Kind::borrowed && kind != Kind::watched; }
  };

  Impl()
      : epoll_(checked(os::epoll_create(), "epoll_create1")),
        call_timer_(add(Kind::timer, make_timer_fd(), [this](std::uint32_t) { call_what_is_due(); })) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    for (const Source& source : sources_) {
      if (source.is_owned() && !source.gone) os::close(source.fd);
    }
    os::close(epoll_);
  }

  Source& add(Kind kind, int fd, std::function<void(std::uint32_t)> handler, std::uint32_t events = EPOLLIN) {
    Source& source = sources_.emplace_back(Source{kind, fd, std::move(handler)});
    control(EPOLL_CTL_ADD, source, events);
    return source;
  }
  void add(Kind kind, int fd, Handler handler) {
    add(kind, fd, [handler = std::move(handler)](std::uint32_t) { handler(); });
  }

  // Uses one timer for all calls, so that a call needs no further descriptor.
  void after(std::chrono::milliseconds delay, Handler handler) {
    calls_.emplace(os::now() + delay, std::move(handler));
    wait_for_the_next_call();
  }

  void control(int operation, Source& source, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &source;
    checked(os::epoll_ctl(epoll_, operation, source.fd, &event), "epoll_ctl");
  }

  void remove(Source& source) {
    (void)os::epoll_ctl(epoll_, EPOLL_CTL_DEL, source.fd, nullptr);
    if (source.is_owned()) os::close(source.fd);
    source.gone = true;
    any_gone_ = true;
  }

  int run() {
    while (!status_) {
      std::array<epoll_event, 16> ready{};
      const int count = os::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()));
      if (count < 0 && errno != EINTR) checked(count, "epoll_wait");
      // Signals and timers come first. Removed sources are destroyed after the round, so that the pointers stay valid.
      const auto own = [](const epoll_event& event) { return static_cast<Source*>(event.data.ptr)->is_owned(); };
      const auto end = ready.begin() + std::max(count, 0);
      std::partition(ready.begin(), end, own);
      for (auto event = ready.begin(); event != end && !status_; ++event) {
        fire(*static_cast<Source*>(event->data.ptr), event->events);
      }
      if (std::exchange(any_gone_, false)) sources_.remove_if([](const Source& source) { return source.gone; });
    }
    return *status_;
  }

  void exit(int status) {
    if (!status_) status_ = status;
  }

  void on_signal(int number, SignalHandler handler) {
    add(Kind::signal, os::signal_descriptor(number), [this, handler = std::move(handler)] { handler(sender_); });
  }

 private:
  void call_what_is_due() {
    const auto now = os::now();
    while (!status_ && !calls_.empty() && calls_.begin()->first <= now) {
      const auto call = calls_.extract(calls_.begin());
      call.mapped()();
    }
    wait_for_the_next_call();
  }
  void wait_for_the_next_call() const {
    if (!calls_.empty()) set_timer(call_timer_.fd, calls_.begin()->first - os::now(), false);
  }

  void fire(Source& source, std::uint32_t events) {
    if (source.gone) return;
    if (!source.is_owned()) return source.handler(events);
    signalfd_siginfo what{};                                // also holds a timer's count, which is shorter
    if (os::read(source.fd, &what, sizeof what) < 0) return;  // nothing to read after all
    if (source.kind == Kind::signal) sender_ = {what.ssi_uid, what.ssi_pid};
    source.handler(events);
  }

  int epoll_;
  std::list<Source> sources_;  // a list, because epoll stores their addresses
  Source& call_timer_;
  std::multimap<portsync::TimePoint, Handler> calls_;
  std::optional<int> status_;
  Sender sender_;  // of the latest signal
  bool any_gone_ = false;
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::on_readable(int fd, Handler handler) {
  impl_->add(Impl::Kind::borrowed, fd, std::move(handler));
}

void EventLoop::on_signal(int number, SignalHandler handler) {
  impl_->on_signal(number, std::move(handler));
}

void EventLoop::every(std::chrono::milliseconds period, Handler handler) {
  const int fd = make_timer_fd();
  set_timer(fd, period, true);
  impl_->add(Impl::Kind::timer, fd, std::move(handler));
}

void EventLoop::after(std::chrono::milliseconds delay, Handler handler) {
  impl_->after(delay, std::move(handler));
}

int EventLoop::run() {
  return impl_->run();
}

void EventLoop::exit(int status) {
  impl_->exit(status);
}

class EventLoop::Watch::Impl {
 public:
  EventLoop::Impl& loop;
  EventLoop::Impl::Source& source;
};

EventLoop::Watch::Watch(EventLoop& loop, int fd, std::uint32_t events, Handler handler)
    : impl_(new Impl{*loop.impl_, loop.impl_->add(EventLoop::Impl::Kind::watched, fd, std::move(handler), events)}) {}

EventLoop::Watch::~Watch() {
  impl_->loop.remove(impl_->source);
}

void EventLoop::Watch::set_events(std::uint32_t events) {
  impl_->loop.control(EPOLL_CTL_MOD, impl_->source, events);
}

class EventLoop::Timer::Impl {
 public:
  EventLoop::Impl& loop;
  EventLoop::Impl::Source& source;
};

EventLoop::Timer::Timer(EventLoop& loop, Handler handler)
    : impl_(new Impl{*loop.impl_, loop.impl_->add(EventLoop::Impl::Kind::timer, make_timer_fd(),
                                                  [handler = std::move(handler)](std::uint32_t) { handler(); })}) {}

EventLoop::Timer::~Timer() {
  impl_->loop.remove(impl_->source);
}

void EventLoop::Timer::start(std::chrono::milliseconds delay) {
  set_timer(impl_->source.fd, delay, false);
}

void EventLoop::Timer::stop() {
  const std::chrono::nanoseconds never(0);
  checked(os::timer_set(impl_->source.fd, never, never), "timerfd_settime");
}

}  // namespace portsyncd
