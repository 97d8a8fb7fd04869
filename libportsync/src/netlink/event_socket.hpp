// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "netlink/route_socket.hpp"

namespace portsync::netlink {

// A socket that is a member of RTNLGRP_LINK and so receives the kernel's link notifications. ReceiveBuffer reads it.
class EventSocket {
 public:
  // Opens the socket, joins the group and sets the size of the receive buffer. Throws std::system_error.
  explicit EventSocket(std::size_t receive_buffer_bytes);

  [[nodiscard]] int fd() const noexcept { return socket_.fd(); }
  [[nodiscard]] std::size_t receive_buffer_bytes() const noexcept { return receive_buffer_bytes_; }

  // Returns how many messages the kernel has dropped since the socket was opened. 0 before Linux 4.12, which does not
  // report them.
  [[nodiscard]] std::uint32_t drops() const noexcept;
  // Returns how many bytes of the receive buffer the unread messages occupy.
  [[nodiscard]] std::size_t backlog_bytes() const noexcept;
  // Returns whether the socket is still a member of the group. Kernels before 4.2 do not report that.
  [[nodiscard]] bool joined() const noexcept;

  // Sends a request whose reply arrives on this socket, among the notifications. The kernel acknowledges NLMSG_NOOP
  // before it calls any handler of rtnetlink, and so without the RTNL lock, which may be held for seconds.
  void send_probe() noexcept;

 private:
  void set_receive_buffer(std::size_t bytes) noexcept;

  RouteSocket socket_;
  std::size_t receive_buffer_bytes_ = 0;
};

}  // namespace portsync::netlink
