// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netlink/msg.h>
#include <netlink/socket.h>

#include <memory>
#include <system_error>

namespace portsync::netlink {

struct CloseSocket {
  void operator()(nl_sock* socket) const noexcept { nl_socket_free(socket); }
};
using RouteSocket = std::unique_ptr<nl_sock, CloseSocket>;

struct FreeMessage {
  void operator()(nl_msg* message) const noexcept { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, FreeMessage>;

// An error of libnl, given as its functions return it: negative or not.
[[nodiscard]] std::error_code libnl_error(int code) noexcept;

// A bound, non-blocking NETLINK_ROUTE socket in the network namespace that the calling thread is in. Throws
// std::system_error; `purpose` is for its text.
[[nodiscard]] RouteSocket open_route_socket(const char* purpose);

}  // namespace portsync::netlink
