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
  changed,  // RTM_NEWLINK: the link is there, and like this
  removed,  // RTM_DELLINK: the link is gone; of `link` only ifindex is set
  ignored,  // another type or family (RTM_DELLINK of AF_BRIDGE says "left the bridge", not "gone"), or a part of a link
  malformed,  // no kernel builds such a message, so something was lost; `link` holds anything
};

// A message about a whole link has IFLA_MTU: rtnl_fill_ifinfo() (net/core/rtnetlink.c) puts it, with a name and an
// operstate, into every answer and notification. What is absent beside it (a master, a parent) the link does not have.
// Without IFLA_MTU a message is about something else of a link: wireless_nlevent_process() (net/wireless/wext-core.c)
// sends the name and an event. It says nothing that we want which a whole message does not say as well, and it may have
// waited in a queue: its flags may be older than those of a message that was sent before. So it is ignored.
//
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
