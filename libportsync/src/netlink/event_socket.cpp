// SPDX-License-Identifier: Apache-2.0
#include "netlink/event_socket.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <tuple>

#include "os/socket.hpp"

namespace portsync::netlink {
namespace {

using MemoryInfo = std::array<std::uint32_t, SK_MEMINFO_VARS>;

// Returns zeros if the kernel does not report these values.
MemoryInfo memory_info(int fd) noexcept {
  MemoryInfo info{};
  socklen_t size = sizeof info;
  if (os::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info.data(), &size) < 0) info.fill(0);
  return info;
}

}  // namespace

EventSocket::EventSocket(std::size_t receive_buffer_bytes) : socket_("link events") {
  set_receive_buffer(receive_buffer_bytes);
  const int group = RTNLGRP_LINK;
  if (os::setsockopt(fd(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
    throw std::system_error(errno, std::system_category(), "netlink socket for link events: cannot join RTNLGRP_LINK");
  }
}

// Exceeds the limit of net.core.rmem_max if the process has the permission, and respects it otherwise. A smaller buffer
// than requested is no error, because it only overruns earlier.
void EventSocket::set_receive_buffer(std::size_t bytes) noexcept {
  constexpr std::size_t largest = std::numeric_limits<int>::max() / 2;  // the kernel doubles it
  const int wanted = static_cast<int>(std::min(bytes, largest));
  if (os::setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted) < 0) {
    os::setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
  }
  int effective = 0;
  socklen_t size = sizeof effective;
  os::getsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &effective, &size);
  receive_buffer_bytes_ = static_cast<std::size_t>(effective);
}

std::uint32_t EventSocket::drops() const noexcept {
  return memory_info(fd())[SK_MEMINFO_DROPS];
}

std::size_t EventSocket::backlog_bytes() const noexcept {
  return memory_info(fd())[SK_MEMINFO_RMEM_ALLOC];
}

bool EventSocket::joined() const noexcept {
  std::array<std::uint32_t, 8> groups{};
  socklen_t size = sizeof groups;
  if (os::getsockopt(fd(), SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups.data(), &size) < 0) return true;
  static_assert(RTNLGRP_LINK >= 1 && RTNLGRP_LINK <= 32, "in the first word");
  return (groups[0] & (1U << (RTNLGRP_LINK - 1))) != 0;
}

// Ignores errors: without the request there is no reply, and the caller's time limit covers both cases.
void EventSocket::send_probe() noexcept {
  if (const Message probe{nlmsg_alloc_simple(NLMSG_NOOP, NLM_F_ACK)}) std::ignore = socket_.send(*probe);
}

}  // namespace portsync::netlink
