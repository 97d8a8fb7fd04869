// SPDX-License-Identifier: Apache-2.0
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <list>
#include <optional>
#include <system_error>
#include <utility>

#include "event_loop.hpp"

namespace portsyncd {
namespace {

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::system_category(), what);
  return result;
}

int make_signal_fd(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  const int blocked = pthread_sigmask(SIG_BLOCK, &set, nullptr);
  if (blocked != 0) throw std::system_error(blocked, std::system_category(), "pthread_sigmask");
  return checked(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), "signalfd");
}

int make_timer_fd(std::chrono::milliseconds delay, bool again) {
  const int fd = checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create");
  delay = std::max(delay, std::chrono::milliseconds(1));  // 0 would disarm it
  const timespec time{delay.count() / 1000, (delay.count() % 1000) * 1'000'000};
  const itimerspec spec{again ? time : timespec{}, time};
  checked(::timerfd_settime(fd, 0, &spec, nullptr), "timerfd_settime");
  return fd;
}

}  // namespace

class EventLoop::Impl {
 public:
  enum class Kind : std::uint8_t { borrowed, signal, periodic, once };

  Impl() : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    for (const Source& source : sources_) {
      if (source.kind != Kind::borrowed) ::close(source.fd);
    }
    ::close(epoll_);
  }

  void add(Kind kind, int fd, Handler handler) {
    Source& source = sources_.emplace_back(Source{kind, fd, std::move(handler)});
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &source;
    checked(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  }

  int run() {
    while (!status_) {
      std::array<epoll_event, 16> ready{};
      const int count = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), -1);
      if (count < 0 && errno != EINTR) checked(count, "epoll_wait");
      // Signals and timers first. A source goes only in its own turn, so that the pointers of the others hold.
      const auto own = [](const epoll_event& event) {
        return static_cast<Source*>(event.data.ptr)->kind != Kind::borrowed;
      };
      const auto end = ready.begin() + std::max(count, 0);
      std::partition(ready.begin(), end, own);
      for (auto event = ready.begin(); event != end && !status_; ++event) fire(*static_cast<Source*>(event->data.ptr));
    }
    return *status_;
  }

  void exit(int status) {
    if (!status_) status_ = status;
  }

 private:
  struct Source {
    Kind kind;
    int fd;
    Handler handler;
  };

  void fire(Source& source) {
    if (source.kind == Kind::borrowed) return source.handler();
    std::array<char, sizeof(signalfd_siginfo)> drain{};
    if (::read(source.fd, drain.data(), drain.size()) < 0) return;  // nothing there after all
    if (source.kind != Kind::once) return source.handler();
    const Handler handler = std::move(source.handler);
    ::close(source.fd);
    sources_.remove_if([&source](const Source& other) { return &other == &source; });
    handler();
  }

  int epoll_;
  std::list<Source> sources_;  // epoll keeps their addresses
  std::optional<int> status_;
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::on_readable(int fd, Handler handler) {
  impl_->add(Impl::Kind::borrowed, fd, std::move(handler));
}

void EventLoop::on_signal(int number, Handler handler) {
  impl_->add(Impl::Kind::signal, make_signal_fd(number), std::move(handler));
}

void EventLoop::every(std::chrono::milliseconds period, Handler handler) {
  impl_->add(Impl::Kind::periodic, make_timer_fd(period, true), std::move(handler));
}

void EventLoop::after(std::chrono::milliseconds delay, Handler handler) {
  impl_->add(Impl::Kind::once, make_timer_fd(delay, false), std::move(handler));
}

int EventLoop::run() {
  return impl_->run();
}

void EventLoop::exit(int status) {
  impl_->exit(status);
}

}  // namespace portsyncd
