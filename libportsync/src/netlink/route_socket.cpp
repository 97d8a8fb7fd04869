// SPDX-License-Identifier: Apache-2.0
#include "netlink/route_socket.hpp"

#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>

#include <cerrno>
#include <cstdlib>
#include <portsync/netlink/link_source.hpp>
#include <string>

namespace portsync::netlink {
namespace {

[[noreturn]] void fail(std::error_code error, const char* purpose) {
  std::string what = std::string("netlink socket for ") + purpose + ": cannot open AF_NETLINK, NETLINK_ROUTE";
  if (error == std::errc::address_family_not_supported) {
    what += " (is AF_NETLINK missing from RestrictAddressFamilies= of the systemd unit?)";
  }
  throw std::system_error(error, what);
}

// libnl maps most of errno to NLE_FAILURE, "unspecific failure": then errno says more (EMFILE, ENFILE).
std::error_code connect_error(int code, int system_error) {
  if (std::abs(code) == NLE_FAILURE && system_error != 0) return {system_error, std::system_category()};
  return libnl_error(code);
}

}  // namespace

std::error_code libnl_error(int code) noexcept {
  return {std::abs(code), error_category()};
}

RouteSocket open_route_socket(const char* purpose) {
  RouteSocket socket(nl_socket_alloc());
  if (!socket) throw std::bad_alloc();
  errno = 0;
  if (const int code = nl_connect(socket.get(), NETLINK_ROUTE); code < 0) fail(connect_error(code, errno), purpose);
  if (const int code = nl_socket_set_nonblocking(socket.get()); code < 0) fail(libnl_error(code), purpose);
  nl_socket_disable_auto_ack(socket.get());
  return socket;
}

}  // namespace portsync::netlink
