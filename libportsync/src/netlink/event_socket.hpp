// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "netlink/route_socket.hpp"

namespace portsync::netlink {

// A socket in RTNLGRP_LINK: where the kernel's link notifications arrive. Reading it is ReceiveBuffer's job.
class EventSocket {
 public:
  // Joined and with its buffer when the constructor returns. Throws std::system_error.
  explicit EventSocket(std::size_t receive_buffer_bytes);

  [[nodiscard]] int fd() const noexcept { return socket_.fd(); }
  [[nodiscard]] std::size_t receive_buffer_bytes() const noexcept { return receive_buffer_bytes_; }

  // Messages that the kernel dropped since the socket was opened. 0 before Linux 4.12, which does not tell.
  [[nodiscard]] std::uint32_t drops() const noexcept;
  // What the messages that wait take of the receive buffer.
  [[nodiscard]] std::size_t backlog_bytes() const noexcept;
  // Whether it is still a member of the group, as far as the kernel tells (since 4.2).
  [[nodiscard]] bool joined() const noexcept;

  // Asks the kernel for a sign of life that arrives here, among the notifications. NLMSG_NOOP is acknowledged before
  // any handler of rtnetlink, and so without the RTNL lock, which may be held for seconds.
  void send_probe() noexcept;

 private:
  void set_receive_buffer(std::size_t bytes) noexcept;

  RouteSocket socket_;
  std::size_t receive_buffer_bytes_ = 0;
};

}  // namespace portsync::netlink
