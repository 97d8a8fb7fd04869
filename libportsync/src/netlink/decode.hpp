// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netlink/msg.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <portsync/link_state.hpp>
#include <span>

namespace portsync::netlink {

// The meaning of a netlink message for the links of its namespace.
enum class Decoded : std::uint8_t {
  changed,    // RTM_NEWLINK: the link exists, and `link` describes it
  removed,    // RTM_DELLINK: the link is gone; only `link.ifindex` is set
  ignored,    // another type or family (RTM_DELLINK of AF_BRIDGE is "left the bridge", not "gone"), or a part of a link
  malformed,  // no kernel builds such a message, so something was lost; the contents of `link` are unspecified
};

// A message about a whole link has IFLA_MTU: rtnl_fill_ifinfo() (net/core/rtnetlink.c) puts it, with a name and an
// operstate, into every reply and notification. If such a message has no master or no parent, the link has none.
//
// A message without IFLA_MTU describes only a part of a link: wireless_nlevent_process() (net/wireless/wext-core.c)
// sends the name and an event. decode() ignores it for two reasons. A whole message contains everything in it that we
// need. And it may have waited in a queue, so that its flags may be older than those of a message sent before it.
//
// Decodes one message into every member of `link`. Assigns in place, so that a caller that reuses `link` allocates
// nothing in the steady state. All nlmsg_len bytes must be readable (see each_message()); decode() reads nothing beyond
// them, whatever they contain. Pure: no socket, no clock. Throws std::bad_alloc only.
[[nodiscard]] Decoded decode(const nlmsghdr& message, LinkState& link);

// Calls on_message(const nlmsghdr&) for each message of a datagram. The datagram must be aligned for nlmsghdr. Returns
// false if the datagram does not end where a message ends.
template <typename F>
[[nodiscard]] bool each_message(std::span<std::byte> datagram, F&& on_message) {
  if (datagram.size() > std::size_t{std::numeric_limits<int>::max()}) return false;
  int rest = static_cast<int>(datagram.size());
  auto* message = reinterpret_cast<nlmsghdr*>(datagram.data());
  for (; nlmsg_ok(message, rest) != 0; message = nlmsg_next(message, &rest)) on_message(*message);
  return rest <= 0;
}

}  // namespace portsync::netlink
