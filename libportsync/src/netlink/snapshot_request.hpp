// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include "netlink/decode.hpp"
#include "netlink/route_socket.hpp"

namespace portsync::netlink {

// One listing of all links, on a socket of its own: its replies neither fill the event socket's buffer nor mix with
// notifications, and closing the socket ends it wherever it is.
class SnapshotRequest {
 public:
  enum class Status : std::uint8_t {
    waiting,   // nothing to read now
    more,      // read one datagram
    foreign,   // dropped one datagram, whose sender was not the kernel
    complete,  // NLMSG_DONE
    failed,    // an error, or the reply was longer than the buffer
  };

  // Opens the socket, in the network namespace that the calling thread is in. Throws std::system_error.
  SnapshotRequest() : socket_(open_route_socket("a snapshot")) {}

  [[nodiscard]] int fd() const noexcept { return nl_socket_get_fd(socket_.get()); }

  [[nodiscard]] std::error_code send();

  // Reads one datagram of replies, without waiting, into `buffer`, whose size the kernel takes as the wanted size of
  // the next ones (up to 32 KiB). Gives each message of a link to on_message(const nlmsghdr&).
  template <typename F>
  [[nodiscard]] Status read(std::span<std::byte> buffer, F&& on_message) {
    std::span<std::byte> datagram;
    Status status = receive(buffer, datagram);
    if (status != Status::more) return status;
    const bool well_formed = each_message(datagram, [&](const nlmsghdr& message) {
      if (message.nlmsg_seq != sequence_ || status != Status::more) return;
      status = inspect(message);
      if (status == Status::more) on_message(message);
    });
    return well_formed ? status : Status::failed;
  }

  // The kernel said that links came or went while it was listing (NLM_F_DUMP_INTR): some may be missing.
  [[nodiscard]] bool interrupted() const noexcept { return interrupted_; }

 private:
  [[nodiscard]] Status receive(std::span<std::byte> buffer, std::span<std::byte>& datagram) noexcept;
  [[nodiscard]] Status inspect(const nlmsghdr& message) noexcept;

  RouteSocket socket_;
  std::uint32_t sequence_ = 0;
  bool interrupted_ = false;
};

}  // namespace portsync::netlink
