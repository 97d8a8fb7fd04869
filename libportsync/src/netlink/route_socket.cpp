// SPDX-License-Identifier: Apache-2.0
#include "netlink/route_socket.hpp"

#include <linux/netlink.h>

#include <cerrno>
#include <string>

#include "os/socket.hpp"

namespace portsync::netlink {
namespace {

[[noreturn]] void fail(std::error_code error, const char* purpose) {
  std::string what = std::string("netlink socket for ") + purpose + ": cannot open AF_NETLINK, NETLINK_ROUTE";
  if (error == std::errc::address_family_not_supported) {
    what += " (is AF_NETLINK missing from RestrictAddressFamilies= of the systemd unit?)";
  }
  throw std::system_error(error, what);
}

std::error_code last_errno() noexcept {
  return {errno, std::system_category()};
}

}  // namespace

RouteSocket::RouteSocket(const char* purpose)
    : socket_(os::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)) {
  if (!socket_) fail(last_errno(), purpose);
  sockaddr_nl any{};  // the kernel chooses the port
  any.nl_family = AF_NETLINK;
  if (os::bind(fd(), reinterpret_cast<const sockaddr*>(&any), sizeof any) < 0) fail(last_errno(), purpose);
}

std::error_code RouteSocket::send(nl_msg& request) noexcept {
  nlmsghdr& header = *nlmsg_hdr(&request);
  header.nlmsg_flags |= NLM_F_REQUEST;
  header.nlmsg_seq = ++sequence_;
  while (os::send(fd(), &header, header.nlmsg_len, 0) < 0) {
    if (errno != EINTR) return last_errno();
  }
  return {};
}

}  // namespace portsync::netlink
