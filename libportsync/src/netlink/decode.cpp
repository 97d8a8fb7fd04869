// SPDX-License-Identifier: Apache-2.0
#include "netlink/decode.hpp"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace portsync::netlink {
namespace {

// Calls on_attribute(const nlattr&) until it says false. False also when an attribute ends beyond the last one's room.
template <typename F>
bool each_attribute(const nlattr* attribute, int size, F&& on_attribute) {
  int rest = size;
  for (; nla_ok(attribute, rest) != 0; attribute = nla_next(attribute, &rest)) {
    if (!on_attribute(*attribute)) return false;
  }
  return rest <= 0;
}

template <typename F>
bool each_nested(const nlattr& parent, F&& on_attribute) {
  return each_attribute(static_cast<const nlattr*>(nla_data(&parent)), nla_len(&parent), on_attribute);
}

std::size_t payload_size(const nlattr& attribute) {
  return static_cast<std::size_t>(nla_len(&attribute));
}

// Bounded by the attribute and by the first NUL.
std::string_view text(const nlattr& attribute) {
  const auto* first = static_cast<const char*>(nla_data(&attribute));
  return {first, ::strnlen(first, payload_size(attribute))};
}

bool read_text(const nlattr& attribute, std::string& value) {
  value.assign(text(attribute));
  return true;
}

template <typename Integer>
bool read_integer(const nlattr& attribute, Integer& value) {
  if (payload_size(attribute) < sizeof value) return false;
  std::memcpy(&value, nla_data(&attribute), sizeof value);
  return true;
}

bool read_integer(const nlattr& attribute, std::optional<std::uint32_t>& value) {
  return read_integer(attribute, value.emplace());
}

// The kernel always ends the name with a NUL, and never lets it be longer than IFNAMSIZ with it.
bool read_name(const nlattr& attribute, std::string& name) {
  const std::string_view value = text(attribute);
  if (value.empty() || value.size() >= IFNAMSIZ || value.size() == payload_size(attribute)) return false;
  name.assign(value);
  return true;
}

bool read_operstate(const nlattr& attribute, OperState& operstate) {
  std::uint8_t value = 0;
  if (!read_integer(attribute, value)) return false;
  operstate = value <= IF_OPER_UP ? static_cast<OperState>(value) : OperState::unknown;
  return true;
}

bool read_address(const nlattr& attribute, HardwareAddress& address) {
  const std::size_t size = payload_size(attribute);
  if (size > address.bytes.size()) return false;
  std::memcpy(address.bytes.data(), nla_data(&attribute), size);
  address.size = static_cast<std::uint8_t>(size);
  return true;
}

bool read_link_info(const nlattr& link_info, LinkState& link) {
  link.kind.clear();
  link.slave_kind.clear();
  return each_nested(link_info, [&link](const nlattr& attribute) {
    switch (nla_type(&attribute)) {
      case IFLA_INFO_KIND:
        return read_text(attribute, link.kind);
      case IFLA_INFO_SLAVE_KIND:
        return read_text(attribute, link.slave_kind);
      default:
        return true;
    }
  });
}

// Overwrites the names that are there from the last message, instead of clearing the list, to keep their memory.
bool read_properties(const nlattr& properties, std::vector<std::string>& names) {
  std::size_t count = 0;
  const bool well_formed = each_nested(properties, [&](const nlattr& attribute) {
    if (nla_type(&attribute) != IFLA_ALT_IFNAME) return true;
    if (count == names.size()) names.emplace_back();
    return read_text(attribute, names[count++]);
  });
  names.resize(count);
  return well_formed;
}

bool read_attribute(const nlattr& attribute, LinkState& link) {
  switch (nla_type(&attribute)) {
    case IFLA_IFNAME:
      return read_name(attribute, link.name);
    case IFLA_MTU:
      return read_integer(attribute, link.mtu);
    case IFLA_OPERSTATE:
      return read_operstate(attribute, link.operstate);
    case IFLA_CARRIER_CHANGES:
      return read_integer(attribute, link.carrier_changes);
    case IFLA_CARRIER_UP_COUNT:
      return read_integer(attribute, link.carrier_up_count);
    case IFLA_CARRIER_DOWN_COUNT:
      return read_integer(attribute, link.carrier_down_count);
    case IFLA_ADDRESS:
      return read_address(attribute, link.address);
    case IFLA_MASTER:
      return read_integer(attribute, link.master);
    case IFLA_LINK:
      return read_integer(attribute, link.parent);
    case IFLA_LINKINFO:
      return read_link_info(attribute, link);
    case IFLA_PHYS_PORT_NAME:
      return read_text(attribute, link.phys_port_name);
    default:
      return true;
  }
}

// Everything but ifindex, flags and the list of names, which are always written.
void reset(LinkState& link) {
  link.name.clear();
  link.operstate = OperState::unknown;
  link.mtu.reset();
  link.carrier_changes.reset();
  link.carrier_up_count.reset();
  link.carrier_down_count.reset();
  link.address = {};
  link.master = 0;
  link.parent = 0;
  link.kind.clear();
  link.slave_kind.clear();
  link.phys_port_name.clear();
}

bool read_attributes(const nlmsghdr& message, LinkState& link) {
  reset(link);
  bool has_properties = false;
  const int size = nlmsg_attrlen(&message, sizeof(ifinfomsg));
  const bool well_formed =
      each_attribute(nlmsg_attrdata(&message, sizeof(ifinfomsg)), size, [&](const nlattr& attribute) {
        if (nla_type(&attribute) != IFLA_PROP_LIST) return read_attribute(attribute, link);
        has_properties = true;
        return read_properties(attribute, link.alternative_names);
      });
  if (!has_properties) link.alternative_names.clear();
  return well_formed && !link.name.empty();
}

}  // namespace

Decoded decode(const nlmsghdr& message, LinkState& link) {
  if (message.nlmsg_type != RTM_NEWLINK && message.nlmsg_type != RTM_DELLINK) return Decoded::ignored;
  if (nlmsg_valid_hdr(&message, sizeof(ifinfomsg)) == 0) return Decoded::malformed;
  const auto& header = *static_cast<const ifinfomsg*>(nlmsg_data(&message));
  if (header.ifi_family != AF_UNSPEC) return Decoded::ignored;
  if (header.ifi_index <= 0) return Decoded::malformed;
  link.ifindex = header.ifi_index;
  if (message.nlmsg_type == RTM_DELLINK) return Decoded::removed;
  link.flags = header.ifi_flags;
  return read_attributes(message, link) ? Decoded::changed : Decoded::malformed;
}

}  // namespace portsync::netlink
