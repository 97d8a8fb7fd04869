// SPDX-License-Identifier: Apache-2.0
// Compares netlink/decode with libnl-route's own parser, which shares no code with it: the same message gives the same
// link.
//
// Where the two judge a message differently, and why that is right:
//   - Our decoder refuses a message that shows a loss, so that the source starts over: bytes after the last attribute,
//     an ifindex that is not positive, an empty name, an address longer than the kernel's 32 bytes, a carrier count or
//     a list of names that is cut off. libnl ignores all of these.
//   - libnl refuses texts that do not end with a NUL, are empty, or are longer than its buffers, even behind an inner
//     NUL. Our decoder reads a text up to its first NUL, or to the end of its attribute.
//   - libnl keeps any operstate; our decoder knows those of RFC 2863.
//   - libnl refuses a message because of attributes that our decoder does not read (statistics, VFs, the kind's own
//     data), and follows a null pointer on INFO_XSTATS without INFO_DATA. libnl's copy of the message has these under
//     types that it skips.
//   - libnl reads a slave kind without a NUL up to the next NUL, wherever that is. It is renamed in the copy, too.
// A removal and a message of another family contain nothing to compare.
#include "netlink/decode.hpp"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/object.h>
#include <netlink/route/link.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/fuzz.hpp"

namespace {

using portsync::HardwareAddress;
using portsync::LinkState;
using portsync::OperState;
using portsync::fuzz::Input;
using portsync::fuzz::require;
using portsync::netlink::decode;
using portsync::netlink::Decoded;
using portsync::netlink::each_message;

constexpr int header_size = sizeof(ifinfomsg);
constexpr std::uint16_t unread = 0x3fff;  // a type that no parser knows

template <typename F>
int each_attribute(const nlattr* first, int size, F&& on_attribute) {
  int rest = 0;
  const nlattr* attribute = nullptr;
  nla_for_each_attr(attribute, first, size, rest) on_attribute(*attribute);
  return rest;  // the remaining bytes are no attribute
}

template <typename F>
int each_attribute(const nlmsghdr& message, F&& on_attribute) {
  return each_attribute(nlmsg_attrdata(&message, header_size), nlmsg_attrlen(&message, header_size), on_attribute);
}

template <typename F>
int each_nested(const nlattr& parent, F&& on_attribute) {
  return each_attribute(static_cast<const nlattr*>(nla_data(&parent)), nla_len(&parent), on_attribute);
}

bool is_one_of(int type, std::initializer_list<int> types) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

bool is_ended(const nlattr& text) {
  const int size = nla_len(&text);
  return size > 0 && static_cast<const char*>(nla_data(&text))[size - 1] == '\0';
}

bool is_for_libnl(const nlattr& info) {
  const int type = nla_type(&info);
  return type == IFLA_INFO_KIND || (type == IFLA_INFO_SLAVE_KIND && is_ended(info));
}

void rename_unread(nlmsghdr& message) {
  const auto rename = [](const nlattr& attribute) { const_cast<nlattr&>(attribute).nla_type = unread; };
  each_attribute(message, [&](const nlattr& attribute) {
    const int type = nla_type(&attribute);
    if (type == IFLA_LINKINFO) {
      each_nested(attribute, [&](const nlattr& inner) {
        if (!is_for_libnl(inner)) rename(inner);
      });
    } else if (!is_one_of(type, {IFLA_IFNAME, IFLA_MTU, IFLA_OPERSTATE, IFLA_CARRIER_CHANGES, IFLA_ADDRESS, IFLA_MASTER,
                                 IFLA_LINK, IFLA_PHYS_PORT_NAME})) {
      rename(attribute);
    }
  });
}

using Link = std::unique_ptr<rtnl_link, decltype(&rtnl_link_put)>;

// Returns nullptr if libnl refuses the message.
Link parse_by_libnl(const nlmsghdr& message) {
  const std::unique_ptr<nl_msg, decltype(&nlmsg_free)> copy(nlmsg_convert(const_cast<nlmsghdr*>(&message)),
                                                            &nlmsg_free);
  nlmsg_set_proto(copy.get(), NETLINK_ROUTE);
  rename_unread(*nlmsg_hdr(copy.get()));
  rtnl_link* found = nullptr;
  const auto keep = [](nl_object* object, void* kept) {
    nl_object_get(object);
    *static_cast<rtnl_link**>(kept) = reinterpret_cast<rtnl_link*>(object);
  };
  const int code = nl_msg_parse(copy.get(), keep, &found);
  require((code >= 0) == (found != nullptr), "libnl returns either a link or an error");
  return {found, &rtnl_link_put};
}

bool stricter_than_libnl(const nlmsghdr& message) {
  bool strict = static_cast<const ifinfomsg*>(nlmsg_data(&message))->ifi_index <= 0;
  const int rest = each_attribute(message, [&](const nlattr& attribute) {
    const int type = nla_type(&attribute);
    const int size = nla_len(&attribute);
    if (type == IFLA_IFNAME) strict |= size == 0 || *static_cast<const char*>(nla_data(&attribute)) == '\0';
    if (type == IFLA_ADDRESS) strict |= size > 32;
    if (is_one_of(type, {IFLA_CARRIER_UP_COUNT, IFLA_CARRIER_DOWN_COUNT})) strict |= size < 4;
    if (is_one_of(type, {IFLA_LINKINFO, IFLA_PROP_LIST})) strict |= each_nested(attribute, [](const nlattr&) {}) > 0;
  });
  return strict || rest > 0;
}

bool looser_than_libnl(const nlmsghdr& message) {
  bool loose = false;
  each_attribute(message, [&](const nlattr& attribute) {
    const int type = nla_type(&attribute);
    if (is_one_of(type, {IFLA_IFNAME, IFLA_PHYS_PORT_NAME})) {
      loose |= !is_ended(attribute) || nla_len(&attribute) > IFNAMSIZ;
    } else if (type == IFLA_LINKINFO) {
      each_nested(attribute,
                  [&](const nlattr& inner) { loose |= nla_type(&inner) == IFLA_INFO_KIND && !is_ended(inner); });
    }
  });
  return loose;
}

bool slave_kind_is_ended(const nlmsghdr& message) {
  bool ended = true;
  each_attribute(message, [&](const nlattr& attribute) {
    if (nla_type(&attribute) != IFLA_LINKINFO) return;
    each_nested(attribute,
                [&](const nlattr& inner) { ended &= nla_type(&inner) != IFLA_INFO_SLAVE_KIND || is_ended(inner); });
  });
  return ended;
}

std::string text(const char* text) {
  return text == nullptr ? "" : text;
}

std::string address_of(rtnl_link* link) {
  const nl_addr* address = rtnl_link_get_addr(link);
  if (address == nullptr) return "";
  return {static_cast<const char*>(nl_addr_get_binary_addr(address)), nl_addr_get_len(address)};
}

void compare(const LinkState& ours, rtnl_link* theirs, const nlmsghdr& message) {
  require(ours.ifindex == rtnl_link_get_ifindex(theirs), "the same ifindex");
  require(ours.name == text(rtnl_link_get_name(theirs)), "the same name");
  require(ours.flags == rtnl_link_get_flags(theirs), "the same flags");
  const int operstate = rtnl_link_get_operstate(theirs);
  require(static_cast<int>(ours.operstate) == (operstate <= IF_OPER_UP ? operstate : IF_OPER_UNKNOWN),
          "the same operstate");
  require(ours.mtu.value_or(0) == rtnl_link_get_mtu(theirs), "the same mtu");
  std::uint32_t changes = 0;
  const bool known = rtnl_link_get_carrier_changes(theirs, &changes) == 0;
  require(ours.carrier_changes.has_value() == known && ours.carrier_changes.value_or(0) == changes,
          "the same number of carrier changes");
  require(
      std::string(reinterpret_cast<const char*>(ours.address.bytes.data()), ours.address.size) == address_of(theirs),
      "the same address");
  require(ours.master == rtnl_link_get_master(theirs), "the same master");
  require(ours.parent == rtnl_link_get_link(theirs), "the same link below");
  std::int32_t netnsid = 0;
  const bool elsewhere = rtnl_link_get_link_netnsid(theirs, &netnsid) == 0;
  require(ours.parent_netnsid == (elsewhere ? std::optional(netnsid) : std::nullopt), "in the same namespace");
  require(ours.kind == text(rtnl_link_get_type(theirs)), "the same kind");
  if (slave_kind_is_ended(message)) {
    require(ours.slave_kind == text(rtnl_link_get_slave_type(theirs)), "the same slave kind");
  }
  require(ours.phys_port_name == text(rtnl_link_get_phys_port_name(theirs)), "the same physical port's name");
}

// Compares the attributes that rtnl_link does not have with what libnl's reader of attributes finds.
void compare_rest(const LinkState& ours, const nlmsghdr& message) {
  std::array<nlattr*, IFLA_MAX + 1> attributes{};
  require(nlmsg_parse(const_cast<nlmsghdr*>(&message), header_size, attributes.data(), IFLA_MAX, nullptr) == 0,
          "attributes can be found");
  const auto number = [&](int type) {
    const nlattr* found = attributes[static_cast<std::size_t>(type)];
    return found == nullptr ? std::nullopt : std::optional<std::uint32_t>(nla_get_u32(found));
  };
  require(ours.mtu == number(IFLA_MTU), "an mtu if the message has one");
  require(ours.carrier_up_count == number(IFLA_CARRIER_UP_COUNT), "the same number of carriers found");
  require(ours.carrier_down_count == number(IFLA_CARRIER_DOWN_COUNT), "the same number of carriers lost");
  std::vector<std::string> names;
  if (const nlattr* list = attributes[IFLA_PROP_LIST]; list != nullptr) {
    each_nested(*list, [&](const nlattr& name) {
      if (nla_type(&name) != IFLA_ALT_IFNAME) return;
      const auto* first = static_cast<const char*>(nla_data(&name));
      names.emplace_back(first, ::strnlen(first, static_cast<std::size_t>(nla_len(&name))));
    });
  }
  require(ours.alternative_names == names, "the same alternative names");
}

// Returns a link with a value in every member.
LinkState used_before() {
  LinkState link;
  link.ifindex = 1;
  link.name = link.kind = link.slave_kind = link.phys_port_name = "an earlier message";
  link.flags = 0xffffffff;
  link.operstate = OperState::testing;
  link.mtu = link.carrier_changes = link.carrier_up_count = link.carrier_down_count = 77;
  link.address.size = 32;
  link.address.bytes.fill(0x77);
  link.master = link.parent = 77;
  link.parent_netnsid = 77;
  link.alternative_names = {"one", "two", "three"};
  return link;
}

void check(const nlmsghdr& message) {
  LinkState link;
  const Decoded decoded = decode(message, link);
  LinkState used = used_before();
  require(decode(message, used) == decoded, "the same twice");
  if (decoded == Decoded::removed) require(used.ifindex == link.ifindex, "the same ifindex twice");
  if (decoded == Decoded::changed) require(used == link, "nothing of an earlier message remains");
  if (decoded == Decoded::ignored) return;

  const Link theirs = parse_by_libnl(message);
  if (decoded == Decoded::removed) {
    require(link.ifindex > 0, "an ifindex is positive");
    require(!theirs || rtnl_link_get_ifindex(theirs.get()) == link.ifindex, "the same ifindex removed");
  } else if (decoded == Decoded::malformed) {
    require(!theirs || stricter_than_libnl(message), "refused for a reason");
  } else if (theirs) {
    compare(link, theirs.get(), message);
    compare_rest(link, message);
  } else {
    require(looser_than_libnl(message), "taken for a reason");
    compare_rest(link, message);
  }
}

// Memory as recvmsg() fills it: aligned, and of exactly that size.
class Datagram {
 public:
  explicit Datagram(std::string_view bytes) : memory_(new std::byte[bytes.size()]), size_(bytes.size()) {
    if (!bytes.empty()) std::memcpy(memory_.get(), bytes.data(), bytes.size());
  }
  void check_each() {
    std::size_t messages = 0;
    std::size_t visited = 0;
    const bool whole = each_message({memory_.get(), size_}, [&](const nlmsghdr& message) {
      ++messages;
      visited += message.nlmsg_len;
      check(message);
    });
    require(visited <= size_ && messages <= size_ / sizeof(nlmsghdr), "messages lie inside their datagram");
    require(whole || size_ > 0, "nothing is well formed");
  }
  void set_length() {
    const auto length = static_cast<std::uint32_t>(size_);
    if (size_ >= sizeof length) std::memcpy(memory_.get(), &length, sizeof length);
  }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t size_;
};

// Makes attributes with correct lengths out of shorter input: a type, a length, and that many bytes. The lengths stay
// correct when the fuzzer changes something inside.
std::string attributes(Input input, bool nested) {
  std::string result;
  while (!input.empty()) {
    const std::uint8_t type = input.byte();
    const std::uint8_t size = input.byte();
    std::string payload(input.bytes(size));
    if (!nested && is_one_of(type, {IFLA_LINKINFO, IFLA_PROP_LIST})) payload = attributes(Input(payload), true);
    const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()), type};
    result.append(reinterpret_cast<const char*>(&header), sizeof header).append(payload);
    while (result.size() % NLA_ALIGNTO != 0) result += '\0';
  }
  return result;
}

std::string newlink(Input input) {
  nlmsghdr header{};
  header.nlmsg_type = RTM_NEWLINK;
  std::string message(reinterpret_cast<const char*>(&header), sizeof header);
  message += input.bytes(header_size);
  message.resize(sizeof header + header_size);
  return message + attributes(input, false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  enum : std::uint8_t { well_formed, one_message, datagram };
  const std::uint8_t form = input.byte() % 3;
  Datagram received(form == well_formed ? newlink(input) : std::string(input.rest()));
  if (form != datagram) received.set_length();
  received.check_each();
  return 0;
}
