// SPDX-License-Identifier: Apache-2.0
// Holds rtnl, the kernel's lock of all links of all namespaces, for as long as a test needs.
#pragma once

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

namespace portsync::test {

// ETHTOOL_GSTRINGS copies the names of a link's counters to the caller while it holds the lock. Here the destination is
// a missing page, so that the copy blocks until userfaultfd(2) supplies the page. Meanwhile every process that lists or
// changes links hangs, in any namespace. So the lock is released after `most` in any case.
class RtnlLock {
 public:
  // Takes the lock through this link, which must have counters of its own (a veth has). Returns nullptr if
  // userfaultfd(2) is not allowed to block the kernel (outside of root's own user namespace).
  static std::unique_ptr<RtnlLock> hold(const std::string& link) {
    const int fd = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
    if (fd < 0) return nullptr;
    return std::unique_ptr<RtnlLock>(new RtnlLock(fd, link));
  }
  RtnlLock(const RtnlLock&) = delete;
  RtnlLock& operator=(const RtnlLock&) = delete;
  ~RtnlLock() {
    let_go_.set_value();
    keeper_.join();
    holder_.join();
    ::munmap(memory_, 2 * page);
    ::close(socket_);
    ::close(fd_);
  }

 private:
  static constexpr std::size_t page = 4096;
  static constexpr std::chrono::seconds most{3};

  RtnlLock(int fd, const std::string& link) : fd_(fd), socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    uffdio_api api{};
    api.api = UFFD_API;
    check(::ioctl(fd_, UFFDIO_API, &api), "UFFDIO_API");
    memory_ = ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(memory_ == MAP_FAILED ? -1 : 0, "mmap");
    // The request ends at the end of the present page, and the reply begins in the missing one.
    auto* request = reinterpret_cast<ethtool_gstrings*>(missing() - sizeof(ethtool_gstrings));
    request->cmd = ETHTOOL_GSTRINGS;
    request->string_set = ETH_SS_STATS;
    uffdio_register area{};
    area.range = {missing(), page};
    area.mode = UFFDIO_REGISTER_MODE_MISSING;
    check(::ioctl(fd_, UFFDIO_REGISTER, &area), "UFFDIO_REGISTER");
    holder_ = std::thread([this, link, request] {
      ifreq wanted{};
      link.copy(wanted.ifr_name, IFNAMSIZ - 1);
      wanted.ifr_data = reinterpret_cast<char*>(request);
      ::ioctl(socket_, SIOCETHTOOL, &wanted);
    });
    pollfd fault{fd_, POLLIN, 0};
    if (::poll(&fault, 1, 10'000) > 0) {
      keeper_ = std::thread([this, end = let_go_.get_future()] {
        (void)end.wait_for(most);
        uffdio_zeropage zero{};
        zero.range = {missing(), page};
        ::ioctl(fd_, UFFDIO_ZEROPAGE, &zero);
      });
      return;
    }
    holder_.join();
    check((errno = ENODATA, -1), ("ETHTOOL_GSTRINGS of " + link).c_str());
  }

  [[nodiscard]] std::size_t missing() const { return reinterpret_cast<std::size_t>(memory_) + page; }

  static void check(int result, const char* what) {
    if (result < 0) throw std::system_error(errno, std::system_category(), what);
  }

  int fd_;
  int socket_;
  void* memory_ = nullptr;
  std::promise<void> let_go_;
  std::thread holder_;
  std::thread keeper_;
};

}  // namespace portsync::test
