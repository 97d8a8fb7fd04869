// SPDX-License-Identifier: Apache-2.0
// Finds the sockets of a LinkSource from outside, and manipulates them.
#pragma once

#include <dirent.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace portsync::test {

inline std::vector<int> descriptors() {
  std::vector<int> found;
  DIR* directory = ::opendir("/proc/self/fd");
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] != '.' && std::atoi(entry->d_name) != ::dirfd(directory)) {
      found.push_back(std::atoi(entry->d_name));
    }
  }
  ::closedir(directory);
  return found;
}

inline bool is_netlink(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_NETLINK;
}

inline bool is_joined(int fd) {
  std::array<std::uint32_t, 8> groups{};
  socklen_t size = sizeof groups;
  return ::getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups.data(), &size) == 0 && (groups[0] & 1U) != 0;
}

inline std::vector<int> event_sockets() {
  auto found = descriptors();
  found.erase(std::remove_if(found.begin(), found.end(), [](int fd) { return !is_netlink(fd) || !is_joined(fd); }),
              found.end());
  return found;
}

// Returns the source's event socket, the only socket of the program in the group.
inline int event_socket() {
  const auto found = event_sockets();
  BOOST_REQUIRE_EQUAL(found.size(), 1U);
  return found.front();
}

inline ino_t inode(int fd) {
  struct stat status {};
  ::fstat(fd, &status);
  return status.st_ino;
}

// Makes the socket receive nothing from now on.
inline void make_deaf(int fd) {
  sock_filter drop_all{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &drop_all};
  BOOST_REQUIRE_EQUAL(::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
}

// Another process that pretends to be the kernel, which CAP_NET_ADMIN allows.
class Spoofer {
 public:
  Spoofer() : fd_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}
  Spoofer(const Spoofer&) = delete;
  Spoofer& operator=(const Spoofer&) = delete;
  ~Spoofer() { ::close(fd_); }

  void send_to_port(int victim, std::uint16_t type, std::int32_t ifindex, std::size_t size = 0) const {
    sockaddr_nl address{};
    socklen_t length = sizeof address;
    ::getsockname(victim, reinterpret_cast<sockaddr*>(&address), &length);
    address.nl_groups = 0;
    send(address, type, ifindex, size);
  }
  void send_to_group(std::uint16_t type, std::int32_t ifindex) const {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = 1U << (RTNLGRP_LINK - 1);
    send(address, type, ifindex, 0);
  }

 private:
  void send(const sockaddr_nl& address, std::uint16_t type, std::int32_t ifindex, std::size_t size) const {
    struct {
      nlmsghdr header;
      ifinfomsg link;
      nlattr name_header;
      char name[12];
    } message{};
    message.header.nlmsg_len = sizeof message;
    message.header.nlmsg_type = type;
    message.link.ifi_index = ifindex;
    message.name_header = {sizeof(nlattr) + sizeof message.name, IFLA_IFNAME};
    std::strcpy(message.name, "spoofed");
    std::vector<char> datagram(std::max(sizeof message, size));
    std::memcpy(datagram.data(), &message, sizeof message);
    const auto sent =
        ::sendto(fd_, datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    BOOST_REQUIRE_EQUAL(sent, static_cast<ssize_t>(datagram.size()));
  }

  int fd_;
};

}  // namespace portsync::test
