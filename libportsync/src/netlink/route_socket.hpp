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

// A bound, non-blocking NETLINK_ROUTE socket in the network namespace that the calling thread was in when it was made.
// libnl builds and parses the messages; its own sockets make system calls that a simulated system does not see.
class RouteSocket {
 public:
  // Throws std::system_error; `purpose` is for its text.
  explicit RouteSocket(const char* purpose);

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }

  // Sends a request: gives it a sequence number, which its header has afterwards. The kernel's errno.
  [[nodiscard]] std::error_code send(nl_msg& request) noexcept;

 private:
  os::Descriptor socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace portsync::netlink
