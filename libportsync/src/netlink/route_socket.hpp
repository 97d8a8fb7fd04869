// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netlink/msg.h>

#include <cstdint>
#include <memory>
#include <system_error>

#include "os/descriptor.hpp"

namespace portsync::netlink {

struct FreeMessage {
  void operator()(nl_msg* message) const noexcept { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, FreeMessage>;

// A bound, non-blocking NETLINK_ROUTE socket in the network namespace of the thread that constructed it. libnl builds
// and parses the messages. Its own sockets are not used, because a simulated system does not see their system calls.
class RouteSocket {
 public:
  // Throws std::system_error, whose text contains `purpose`.
  explicit RouteSocket(const char* purpose);

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }

  // Writes a sequence number into the header of the request and sends it. Returns the kernel's errno.
  [[nodiscard]] std::error_code send(nl_msg& request) noexcept;

 private:
  os::Descriptor socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace portsync::netlink
