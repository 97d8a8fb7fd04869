// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netlink/msg.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <portsync/link_state.hpp>
#include <span>

namespace portsync::netlink {

// What a netlink message says about the links of its namespace.
enum class Decoded : std::uint8_t {
  changed,    // RTM_NEWLINK: the link is there, and like this
  removed,    // RTM_DELLINK: the link is gone; of `link` only ifindex is set
  ignored,    // another type or family. RTM_DELLINK of AF_BRIDGE says "left the bridge", not "gone"
  malformed,  // no kernel builds such a message, so something was lost; `link` holds anything
};

// Decodes one message into `link`, every member of it. Assigns in place: with a `link` that is used again, the steady
// state allocates nothing. All nlmsg_len bytes must be readable (see each_message()); nothing beyond is read, whatever
// is in them. Pure: no socket, no clock. Throws std::bad_alloc only.
[[nodiscard]] Decoded decode(const nlmsghdr& message, LinkState& link);

// Calls on_message(const nlmsghdr&) for each message of a datagram, which must be aligned as nlmsghdr is. False when
// the datagram does not end with the end of a message.
template <typename F>
[[nodiscard]] bool each_message(std::span<std::byte> datagram, F&& on_message) {
  if (datagram.size() > std::size_t{std::numeric_limits<int>::max()}) return false;
  int rest = static_cast<int>(datagram.size());
  auto* message = reinterpret_cast<nlmsghdr*>(datagram.data());
  for (; nlmsg_ok(message, rest) != 0; message = nlmsg_next(message, &rest)) on_message(*message);
  return rest <= 0;
}

}  // namespace portsync::netlink
