// SPDX-License-Identifier: Apache-2.0
// link_monitor in a hand-written epoll loop with a base class like sonic-swss-common's Selectable, as in a SONiC
// daemon. SIGTERM ends it.
//
//   g++ -std=c++17 embed_epoll_select.cpp -o embed_epoll_select $(pkg-config --cflags --libs portsync)
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <portsync/netlink/link_source.hpp>
#include <system_error>

#include "print_change.hpp"

class Selectable {
 public:
  virtual ~Selectable() = default;
  [[nodiscard]] virtual int getFd() = 0;
  virtual void readData() = 0;  // handles what made the descriptor readable
};

// Waits for any number of Selectables and borrows them.
class Select {
 public:
  Select() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) throw std::system_error(errno, std::system_category(), "epoll_create1");
  }
  Select(const Select&) = delete;
  Select& operator=(const Select&) = delete;
  ~Select() { ::close(epoll_); }

  void addSelectable(Selectable& selectable) {
    epoll_event event{EPOLLIN, {&selectable}};  // not EPOLLET: readData() may leave work for the next wake-up
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, selectable.getFd(), &event) < 0) {
      throw std::system_error(errno, std::system_category(), "epoll_ctl");
    }
  }

  void select() {
    epoll_event ready[8];
    const int count = ::epoll_wait(epoll_, ready, 8, -1);
    for (int i = 0; i < count; ++i) static_cast<Selectable*>(ready[i].data.ptr)->readData();
  }

 private:
  const int epoll_;
};

// Makes a Selectable of any object of the library.
class SelectablePollable final : public Selectable {
 public:
  explicit SelectablePollable(portsync::Pollable& pollable) : pollable_(pollable) {}
  int getFd() override { return pollable_.fd(); }
  void readData() override {
    if (const std::error_code error = pollable_.process()) throw std::system_error(error);
  }

 private:
  portsync::Pollable& pollable_;
};

// A Selectable of the daemon's own.
class SelectableSignal final : public Selectable {
 public:
  explicit SelectableSignal(int number) {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, number);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    fd_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd_ < 0) throw std::system_error(errno, std::system_category(), "signalfd");
  }
  SelectableSignal(const SelectableSignal&) = delete;
  SelectableSignal& operator=(const SelectableSignal&) = delete;
  ~SelectableSignal() override { ::close(fd_); }

  int getFd() override { return fd_; }
  void readData() override { seen_ = true; }
  [[nodiscard]] bool seen() const { return seen_; }

 private:
  int fd_ = -1;
  bool seen_ = false;
};

int main() try {
  const auto source = portsync::netlink::make_link_source();
  if (const std::error_code error = source->start(print_change)) throw std::system_error(error);

  SelectablePollable links(*source);
  SelectableSignal end(SIGTERM);
  Select select;
  select.addSelectable(links);
  select.addSelectable(end);
  while (!end.seen()) select.select();
  return 0;
} catch (const std::system_error& error) {
  std::fprintf(stderr, "embed_epoll_select: %s\n", error.what());
  return 1;
}
