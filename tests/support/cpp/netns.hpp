// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>

namespace portsync::test {

// The network namespaces of a test program with one thread. The kernel removes them when the program ends.
class Netns {
 public:
  // Returns the namespace of the thread.
  static Netns current() { return Netns(); }

  // Creates a namespace and moves the thread there. Without privileges, creates a user namespace first, once. If even
  // that is not allowed, ends the program as skipped.
  static Netns enter_new() {
    if (::unshare(CLONE_NEWNET) < 0 && !(errno == EPERM && enter_user_namespace())) {
      std::fprintf(stderr, "skipped: no privilege to make a network namespace\n");
      std::_Exit(77);
    }
    return current();
  }

  Netns(Netns&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Netns& operator=(Netns&&) = delete;
  ~Netns() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] int fd() const noexcept { return fd_; }

  // Moves the thread into this namespace.
  void enter() const {
    if (::setns(fd_, CLONE_NEWNET) < 0) throw std::system_error(errno, std::system_category(), "setns");
  }

 private:
  Netns() : fd_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::system_category(), "/proc/thread-self/ns/net");
  }

  static bool enter_user_namespace() {
    const auto uid = std::to_string(::geteuid());
    const auto gid = std::to_string(::getegid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) return false;
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << "0 " + uid + " 1";
    std::ofstream("/proc/self/gid_map") << "0 " + gid + " 1";
    return true;
  }

  int fd_;
};

}  // namespace portsync::test
