// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <portsync/export.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace portsync {

// RFC 2863 operational state, IFLA_OPERSTATE (linux/if.h, IF_OPER_*).
enum class OperState : std::uint8_t { unknown, not_present, down, lower_layer_down, testing, dormant, up };

// Returns "unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant" or "up", as in
// /sys/class/net/*/operstate.
[[nodiscard]] PORTSYNC_API const char* to_string(OperState state) noexcept;

// A link-layer address, IFLA_ADDRESS: 6 bytes for Ethernet, at most 32 (MAX_ADDR_LEN); size 0 = the link has none.
struct HardwareAddress {
  std::array<std::uint8_t, 32> bytes{};  // the first `size` of them
  std::uint8_t size = 0;                 // 0 to 32
};

[[nodiscard]] PORTSYNC_API bool operator==(const HardwareAddress& a, const HardwareAddress& b) noexcept;
[[nodiscard]] inline bool operator!=(const HardwareAddress& a, const HardwareAddress& b) noexcept {
  return !(a == b);
}

// Returns text like "02:00:00:00:00:01"; "" when the link has no address.
[[nodiscard]] PORTSYNC_API std::string to_string(const HardwareAddress& address);

// A link as the kernel last described it in an RTM_NEWLINK (linux/rtnetlink.h, linux/if_link.h). std::nullopt means
// that the kernel did not report the attribute. An empty string means that the link has no such name. New members are
// added at the end.
struct LinkState {
  std::int32_t ifindex = 0;  // > 0; unique in a network namespace while the link exists, may be reused later
  std::string name;          // IFLA_IFNAME, 1 to 15 bytes
  std::uint32_t flags = 0;   // ifi_flags, IFF_*; see the three functions below
  OperState operstate = OperState::unknown;         // IFLA_OPERSTATE
  std::optional<std::uint32_t> mtu;                 // bytes
  std::optional<std::uint32_t> carrier_changes;     // IFLA_CARRIER_CHANGES, up and down together
  std::optional<std::uint32_t> carrier_up_count;    // since Linux 4.16; includes changes between two messages
  std::optional<std::uint32_t> carrier_down_count;  // since Linux 4.16
  HardwareAddress address;                          // IFLA_ADDRESS, the MAC of Ethernet
  std::int32_t master = 0;                          // ifindex of the bridge, LAG or VRF that the link is in; 0 = none
  std::int32_t parent = 0;                     // IFLA_LINK: the link below (vlan, macvlan) or the peer (veth); 0 = none
  std::string kind;                            // IFLA_INFO_KIND: "veth", "vlan", "team"; "" for most hardware
  std::string slave_kind;                      // IFLA_INFO_SLAVE_KIND: "bridge", "team", "bond"; "" = not a member
  std::string phys_port_name;                  // IFLA_PHYS_PORT_NAME
  std::vector<std::string> alternative_names;  // IFLA_ALT_IFNAME, in the kernel's order
  // IFLA_LINK_NETNSID: `parent` is an ifindex in another network namespace, and this is its number in the link's
  // namespace; -1 = it has no number there. std::nullopt = `parent` is in the link's namespace.
  std::optional<std::int32_t> parent_netnsid;

  [[nodiscard]] bool admin_up() const noexcept { return (flags & 0x1U) != 0; }      // IFF_UP
  [[nodiscard]] bool running() const noexcept { return (flags & 0x40U) != 0; }      // IFF_RUNNING
  [[nodiscard]] bool lower_up() const noexcept { return (flags & 0x10000U) != 0; }  // IFF_LOWER_UP
};

// Returns SONiC's words for admin_up() and running(): "up" or "down".
[[nodiscard]] constexpr std::string_view up_or_down(bool up) noexcept {
  return up ? "up" : "down";
}

// Returns true when all members are equal.
[[nodiscard]] PORTSYNC_API bool operator==(const LinkState& a, const LinkState& b) noexcept;
[[nodiscard]] inline bool operator!=(const LinkState& a, const LinkState& b) noexcept {
  return !(a == b);
}

}  // namespace portsync
