// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE decode
#include "netlink/decode.hpp"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <memory>
#include <portsync/netlink/link_source.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support/cpp/allocations.hpp"
#include "unit/netlink/veth_newlink.hpp"

namespace portsync {
std::ostream& operator<<(std::ostream& out, OperState state) {
  return out << to_string(state);
}
namespace netlink {
std::ostream& operator<<(std::ostream& out, Decoded decoded) {
  return out << static_cast<int>(decoded);
}
}  // namespace netlink
}  // namespace portsync

using namespace portsync;
using netlink::decode;
using netlink::Decoded;
using netlink::each_message;
using namespace std::string_literals;

namespace {

// Builds valid and malformed messages byte by byte.
class Message {
 public:
  explicit Message(std::uint16_t type = RTM_NEWLINK, std::int32_t ifindex = 7, std::uint8_t family = AF_UNSPEC,
                   std::uint32_t flags = 0) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    append(&header, sizeof header);
    ifinfomsg link{};
    link.ifi_family = family;
    link.ifi_index = ifindex;
    link.ifi_flags = flags;
    append(&link, sizeof link);
  }

  Message& attribute(int type, std::string_view payload) {
    return attribute_of_length(type, payload, static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()));
  }
  // Adds an attribute whose header has this length, whatever the real length is.
  Message& attribute_of_length(int type, std::string_view payload, std::uint16_t length) {
    const nlattr header{length, static_cast<std::uint16_t>(type)};
    append(&header, sizeof header);
    append(payload.data(), payload.size());
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
    return *this;
  }
  Message& number(int type, std::uint32_t value) {
    return attribute(type, {reinterpret_cast<const char*>(&value), sizeof value});
  }
  Message& name(const std::string& name = "Ethernet0") { return attribute(IFLA_IFNAME, name + '\0'); }

  // Returns the attributes of the message, as the payload of an attribute.
  [[nodiscard]] std::string attributes() const {
    return {bytes_.begin() + NLMSG_LENGTH(sizeof(ifinfomsg)), bytes_.end()};
  }

  // Decodes the message in memory of exactly its size, so that a sanitizer detects any access beyond. `size` truncates
  // it.
  [[nodiscard]] Decoded decode(LinkState& link, std::size_t size = std::numeric_limits<std::size_t>::max()) const {
    size = std::min(size, bytes_.size());
    const auto copy = std::make_unique<char[]>(size);
    std::memcpy(copy.get(), bytes_.data(), size);
    const auto length = static_cast<std::uint32_t>(size);
    std::memcpy(copy.get(), &length, sizeof length);
    return netlink::decode(*reinterpret_cast<const nlmsghdr*>(copy.get()), link);
  }
  [[nodiscard]] Decoded decode() const {
    LinkState link;
    return decode(link);
  }

  [[nodiscard]] std::string bytes() const {
    std::string copy(bytes_.begin(), bytes_.end());
    const auto length = static_cast<std::uint32_t>(copy.size());
    std::memcpy(copy.data(), &length, sizeof length);
    return copy;
  }

 private:
  void append(const void* data, std::size_t size) {
    const auto* first = static_cast<const char*>(data);
    bytes_.insert(bytes_.end(), first, first + size);
  }

  std::vector<char> bytes_;
};

// Returns a message with the attribute that is in every message about a whole link.
Message whole_link() {
  return Message().number(IFLA_MTU, 1500);
}

std::string nested(std::initializer_list<std::pair<int, std::string>> attributes) {
  Message message;
  for (const auto& [type, payload] : attributes) message.attribute(type, payload);
  return message.attributes();
}

Decoded decode_veth(LinkState& link) {
  return decode(*reinterpret_cast<const nlmsghdr*>(test::veth_newlink.data()), link);
}

// Returns the number of messages of a datagram, or -1 if each_message() fails.
int messages_in(std::string datagram) {
  int count = 0;
  const auto copy = std::make_unique<std::byte[]>(datagram.size());
  std::memcpy(copy.get(), datagram.data(), datagram.size());
  return each_message({copy.get(), datagram.size()}, [&](const nlmsghdr&) { ++count; }) ? count : -1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_member_is_read) {
  const Message message =
      Message(RTM_NEWLINK, 7, AF_UNSPEC, IFF_UP | IFF_RUNNING | IFF_LOWER_UP)
          .name()
          .number(IFLA_MTU, 9100)
          .attribute(IFLA_OPERSTATE, "\6")
          .number(IFLA_CARRIER_CHANGES, 5)
          .number(IFLA_CARRIER_UP_COUNT, 3)
          .number(IFLA_CARRIER_DOWN_COUNT, 2)
          .attribute(IFLA_ADDRESS, "\2\0\0\0\0\1"s)
          .number(IFLA_MASTER, 50)
          .number(IFLA_LINK, 20000)
          .attribute(IFLA_LINKINFO, nested({{IFLA_INFO_KIND, "veth\0"s}, {IFLA_INFO_SLAVE_KIND, "bridge\0"s}}))
          .attribute(IFLA_PHYS_PORT_NAME, "p1\0"s)
          .attribute(IFLA_PROP_LIST | NLA_F_NESTED,
                     nested({{IFLA_ALT_IFNAME, "etp1\0"s}, {IFLA_ALT_IFNAME, "Eth1\0"s}}));
  LinkState link;
  BOOST_TEST(message.decode(link) == Decoded::changed);
  BOOST_TEST(link.ifindex == 7);
  BOOST_TEST(link.name == "Ethernet0");
  BOOST_TEST((link.admin_up() && link.running() && link.lower_up()));
  BOOST_TEST(link.operstate == OperState::up);
  BOOST_TEST(link.mtu.value() == 9100U);
  BOOST_TEST(link.carrier_changes.value() == 5U);
  BOOST_TEST(link.carrier_up_count.value() == 3U);
  BOOST_TEST(link.carrier_down_count.value() == 2U);
  BOOST_TEST(to_string(link.address) == "02:00:00:00:00:01");
  BOOST_TEST(link.master == 50);
  BOOST_TEST(link.parent == 20000);
  BOOST_TEST(link.kind == "veth");
  BOOST_TEST(link.slave_kind == "bridge");
  BOOST_TEST(link.phys_port_name == "p1");
  BOOST_TEST(link.alternative_names == (std::vector<std::string>{"etp1", "Eth1"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_message_of_the_kernel) {
  LinkState link;
  BOOST_TEST(decode_veth(link) == Decoded::changed);
  BOOST_TEST(link.ifindex == 100);
  BOOST_TEST(link.name == "Ethernet0");
  BOOST_TEST(link.admin_up());
  BOOST_TEST(link.operstate == OperState::up);
  BOOST_TEST(link.mtu.value() == 9100U);
  BOOST_TEST(link.carrier_up_count.has_value());
  BOOST_TEST(link.carrier_down_count.has_value());
  BOOST_TEST(to_string(link.address) == "02:00:00:00:00:01");
  BOOST_TEST(link.master == 50);
  BOOST_TEST(link.parent == 20000);
  BOOST_TEST(link.kind == "veth");
  BOOST_TEST(link.slave_kind == "bridge");
  BOOST_TEST(link.alternative_names == (std::vector<std::string>{"etp1", "a-rather-long-alternative-name"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nothing_of_an_earlier_message_is_left) {
  LinkState link;
  BOOST_TEST(decode_veth(link) == Decoded::changed);
  BOOST_TEST(whole_link().name("x").decode(link) == Decoded::changed);
  LinkState expected;
  expected.ifindex = 7;
  expected.name = "x";
  expected.mtu = 1500;
  BOOST_TEST((link == expected));
}

BOOST_AUTO_TEST_CASE(a_shorter_list_of_alternative_names_replaces_a_longer_one) {
  LinkState link;
  BOOST_TEST(decode_veth(link) == Decoded::changed);
  const auto message = whole_link().name().attribute(IFLA_PROP_LIST, nested({{IFLA_ALT_IFNAME, "only\0"s}}));
  BOOST_TEST(message.decode(link) == Decoded::changed);
  BOOST_TEST(link.alternative_names == std::vector<std::string>{"only"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_removal_has_the_ifindex) {
  LinkState link;
  BOOST_TEST(Message(RTM_DELLINK, 9).name().decode(link) == Decoded::removed);
  BOOST_TEST(link.ifindex == 9);
  BOOST_TEST(Message(RTM_DELLINK, 9).decode(link) == Decoded::removed);
}

BOOST_AUTO_TEST_CASE(other_families_and_types_are_ignored) {
  for (const std::uint16_t type : {RTM_NEWLINK, RTM_DELLINK}) {
    BOOST_TEST(Message(type, 7, AF_BRIDGE).name().decode() == Decoded::ignored);
    BOOST_TEST(Message(type, 7, AF_INET6).name().decode() == Decoded::ignored);
  }
  for (const std::uint16_t type : std::initializer_list<std::uint16_t>{NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE, RTM_GETLINK,
                                                                       RTM_SETLINK, RTM_NEWADDR}) {
    BOOST_TEST(Message(type).name().decode() == Decoded::ignored);
  }
}

// The kernel's wireless_nlevent_process() sends this: rtnetlink_ifinfo_prep() writes the header and the name, and the
// event follows. The decoder used to take it for a link without an MTU, a MAC, a master and counters.
BOOST_AUTO_TEST_CASE(a_wireless_event_is_no_description_of_a_link) {
  const auto event =
      Message(RTM_NEWLINK, 7, AF_UNSPEC, IFF_UP | IFF_RUNNING).name("wlan0").attribute(IFLA_WIRELESS, "event");
  BOOST_TEST(event.decode() == Decoded::ignored);
}

BOOST_AUTO_TEST_CASE(a_message_about_a_part_of_a_link_is_ignored) {
  const auto part = [] { return Message().name(); };
  BOOST_TEST(part().decode() == Decoded::ignored);
  BOOST_TEST(part().attribute(IFLA_OPERSTATE, "\6").decode() == Decoded::ignored);
  BOOST_TEST(part().attribute(IFLA_PROTINFO | NLA_F_NESTED, nested({{1, "state"}})).decode() == Decoded::ignored);
  BOOST_TEST(part().number(IFLA_MASTER, 50).attribute(IFLA_ADDRESS, "\2\0\0\0\0\1"s).decode() == Decoded::ignored);
  BOOST_TEST(part().attribute(IFLA_ADDRESS, std::string(33, 'x')).decode() == Decoded::malformed);
}

// An attribute that is missing in a message about the whole link does not exist on the link.
BOOST_AUTO_TEST_CASE(a_whole_message_without_a_master_says_that_there_is_none) {
  LinkState link;
  BOOST_TEST(decode_veth(link) == Decoded::changed);
  BOOST_TEST(link.master == 50);
  BOOST_TEST(Message(RTM_NEWLINK, 100).name().number(IFLA_MTU, 9100).decode(link) == Decoded::changed);
  BOOST_TEST(link.master == 0);
  BOOST_TEST(link.slave_kind.empty());
}

// IFLA_LINK is an index in the namespace that IFLA_LINK_NETNSID names. In our namespace that index is another link.
BOOST_AUTO_TEST_CASE(a_parent_in_another_namespace_says_so) {
  LinkState link;
  BOOST_TEST(whole_link().name().number(IFLA_LINK, 20000).decode(link) == Decoded::changed);
  BOOST_TEST(!link.parent_netnsid.has_value());
  BOOST_TEST(whole_link().name().number(IFLA_LINK, 20000).number(IFLA_LINK_NETNSID, 0).decode(link) ==
             Decoded::changed);
  BOOST_TEST(link.parent == 20000);
  BOOST_TEST(link.parent_netnsid.value() == 0);
  // NETNSA_NSID_NOT_ASSIGNED: another namespace, which has no number in ours.
  const auto without_number = whole_link().name().number(IFLA_LINK, 20000).number(IFLA_LINK_NETNSID, 0xffffffff);
  BOOST_TEST(without_number.decode(link) == Decoded::changed);
  BOOST_TEST(link.parent_netnsid.value() == -1);
  BOOST_TEST(whole_link().name().decode(link) == Decoded::changed);
  BOOST_TEST(!link.parent_netnsid.has_value());
}

BOOST_AUTO_TEST_CASE(unknown_attributes_and_longer_integers_are_no_mistake) {
  LinkState link;
  const auto message =
      whole_link().attribute(4000, "of the future").name().attribute(IFLA_MTU, "\1\0\0\0\0\0\0\0"s).attribute(4001, "");
  BOOST_TEST(message.decode(link) == Decoded::changed);
  BOOST_TEST(link.mtu.value() == 1U);
}

// libnl and the kernel do the same. The decoder must not combine values of two attributes.
BOOST_AUTO_TEST_CASE(of_an_attribute_that_comes_twice_the_last_counts) {
  LinkState link;
  const auto message = whole_link()
                           .name("eth0")
                           .name("eth1")
                           .attribute(IFLA_LINKINFO, nested({{IFLA_INFO_KIND, "veth\0"s}}))
                           .attribute(IFLA_LINKINFO, nested({{IFLA_INFO_SLAVE_KIND, "team\0"s}}))
                           .attribute(IFLA_PROP_LIST, nested({{IFLA_ALT_IFNAME, "one\0"s}}))
                           .attribute(IFLA_PROP_LIST, nested({{IFLA_ALT_IFNAME, "two\0"s}}));
  BOOST_TEST(message.decode(link) == Decoded::changed);
  BOOST_TEST(link.name == "eth1");
  BOOST_TEST(link.kind.empty());
  BOOST_TEST(link.slave_kind == "team");
  BOOST_TEST(link.alternative_names == std::vector<std::string>{"two"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_unknown_operstate_is_unknown) {
  LinkState link;
  for (const char value : {'\7', '\xff'}) {
    BOOST_TEST(whole_link().name().attribute(IFLA_OPERSTATE, {&value, 1}).decode(link) == Decoded::changed);
    BOOST_TEST(link.operstate == OperState::unknown);
  }
}

BOOST_AUTO_TEST_CASE(text_ends_at_the_first_nul_or_with_its_attribute) {
  LinkState link;
  const auto message = whole_link()
                           .name("eth0\0hidden"s)
                           .attribute(IFLA_PHYS_PORT_NAME, "p1\0\0p2"s)
                           .attribute(IFLA_LINKINFO, nested({{IFLA_INFO_KIND, "veth"}, {IFLA_INFO_SLAVE_KIND, ""}}))
                           .attribute(IFLA_PROP_LIST, nested({{IFLA_ALT_IFNAME, "unterminated"}, {1, "else"}}));
  BOOST_TEST(message.decode(link) == Decoded::changed);
  BOOST_TEST(link.name == "eth0");
  BOOST_TEST(link.phys_port_name == "p1");
  BOOST_TEST(link.kind == "veth");
  BOOST_TEST(link.slave_kind.empty());
  BOOST_TEST(link.alternative_names == std::vector<std::string>{"unterminated"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_name_has_1_to_15_bytes_and_an_end) {
  BOOST_TEST(whole_link().name("fifteen-bytes-x").decode() == Decoded::changed);
  BOOST_TEST(whole_link().name("sixteen-bytes-xx").decode() == Decoded::malformed);
  BOOST_TEST(whole_link().name("").decode() == Decoded::malformed);
  BOOST_TEST(Message().attribute(IFLA_IFNAME, "").decode() == Decoded::malformed);
  BOOST_TEST(Message().attribute(IFLA_IFNAME, "Ethernet0").decode() == Decoded::malformed);
  BOOST_TEST(Message().number(IFLA_MTU, 1500).decode() == Decoded::malformed);
}

BOOST_AUTO_TEST_CASE(an_address_has_at_most_32_bytes) {
  LinkState link;
  BOOST_TEST(whole_link().name().attribute(IFLA_ADDRESS, std::string(32, 'x')).decode(link) == Decoded::changed);
  BOOST_TEST(link.address.size == 32U);
  BOOST_TEST(whole_link().name().attribute(IFLA_ADDRESS, "").decode(link) == Decoded::changed);
  BOOST_TEST(link.address.size == 0U);
  BOOST_TEST(whole_link().name().attribute(IFLA_ADDRESS, std::string(33, 'x')).decode() == Decoded::malformed);
}

BOOST_AUTO_TEST_CASE(an_ifindex_is_positive) {
  for (const std::uint16_t type : {RTM_NEWLINK, RTM_DELLINK}) {
    for (const std::int32_t ifindex : {0, -1, std::numeric_limits<std::int32_t>::min()}) {
      BOOST_TEST(Message(type, ifindex).name().decode() == Decoded::malformed);
    }
    BOOST_TEST(Message(type, std::numeric_limits<std::int32_t>::max()).name().decode() != Decoded::malformed);
  }
}

BOOST_AUTO_TEST_CASE(integers_that_are_too_short_are_malformed) {
  for (const int type : {IFLA_MTU, IFLA_CARRIER_CHANGES, IFLA_CARRIER_UP_COUNT, IFLA_CARRIER_DOWN_COUNT, IFLA_MASTER,
                         IFLA_LINK, IFLA_LINK_NETNSID}) {
    BOOST_TEST(whole_link().name().attribute(type, "123").decode() == Decoded::malformed);
    BOOST_TEST(whole_link().name().attribute(type, "").decode() == Decoded::malformed);
  }
  BOOST_TEST(whole_link().name().attribute(IFLA_OPERSTATE, "").decode() == Decoded::malformed);
}

BOOST_AUTO_TEST_CASE(attributes_that_do_not_fit_are_malformed) {
  const auto attribute = [](std::uint16_t length) {
    return whole_link().name().attribute_of_length(IFLA_MTU, "1234", length).decode();
  };
  BOOST_TEST(attribute(8) == Decoded::changed);
  for (const std::uint16_t length : std::initializer_list<std::uint16_t>{0, 1, 3, 4, 7, 9, 12, 0xffff})
    BOOST_TEST(attribute(length) == Decoded::malformed);
}

BOOST_AUTO_TEST_CASE(nested_attributes_that_do_not_fit_are_malformed) {
  for (const int outer : {IFLA_LINKINFO, IFLA_PROP_LIST}) {
    for (const std::uint16_t length : std::initializer_list<std::uint16_t>{0, 3, 9, 13, 0xffff}) {
      const auto inside = Message().attribute_of_length(IFLA_INFO_KIND, "1234", length).attributes();
      BOOST_TEST(whole_link().name().attribute(outer, inside).decode() == Decoded::malformed);
      BOOST_TEST(whole_link().name().attribute(outer, inside).number(IFLA_MTU, 1).decode() == Decoded::malformed);
    }
    BOOST_TEST(whole_link().name().attribute(outer, "12").decode() == Decoded::malformed);
    BOOST_TEST(whole_link().name().attribute(outer, "").decode() == Decoded::changed);
  }
}

BOOST_AUTO_TEST_CASE(a_message_cut_off_anywhere_is_malformed_or_still_whole) {
  const auto message = Message().number(IFLA_MTU, 9100).name("eth0").number(IFLA_MASTER, 1);
  const std::size_t size = message.bytes().size();
  const std::size_t header = NLMSG_LENGTH(sizeof(ifinfomsg));
  for (std::size_t cut = sizeof(nlmsghdr); cut < size; ++cut) {
    LinkState link;
    // A cut between two attributes cannot be detected. eth0 takes 4 + 5 bytes, padded to 12, and a number takes 8.
    const bool whole = (cut >= header + 17 && cut <= header + 20) || cut == header + 28;
    BOOST_TEST((message.decode(link, cut) == Decoded::changed) == whole, "cut at " << cut);
    BOOST_TEST((message.decode(link, cut) == Decoded::malformed) == !whole, "cut at " << cut);
  }
}

BOOST_AUTO_TEST_CASE(every_message_of_a_datagram_is_visited) {
  const std::string one = whole_link().name().bytes();
  BOOST_TEST(messages_in("") == 0);
  BOOST_TEST(messages_in(one) == 1);
  BOOST_TEST(messages_in(one + one + one) == 3);
}

BOOST_AUTO_TEST_CASE(a_datagram_that_does_not_end_with_a_message_is_not_well_formed) {
  const std::string one = whole_link().name().bytes();
  BOOST_TEST(messages_in(one + "1") == -1);
  BOOST_TEST(messages_in(one + one.substr(0, 15)) == -1);
  BOOST_TEST(messages_in(one + one.substr(0, one.size() - 1)) == -1);
  for (const std::uint32_t length : {0U, 15U, 1000U, 0x7fffffffU, 0xffffffffU}) {
    std::string wrong = one;
    std::memcpy(wrong.data(), &length, sizeof length);
    BOOST_TEST(messages_in(wrong) == -1);
  }
}

BOOST_AUTO_TEST_CASE(the_steady_state_allocates_nothing) {
  LinkState link;
  const auto other = whole_link().name("Ethernet4").number(IFLA_MTU, 9100).bytes();
  const auto copy = std::make_unique<char[]>(other.size());
  std::memcpy(copy.get(), other.data(), other.size());
  BOOST_TEST(decode_veth(link) == Decoded::changed);
  const std::size_t before = test::allocations;
  std::size_t changed = 0;
  for (int i = 0; i < 1000; ++i) {
    if (decode_veth(link) == Decoded::changed) ++changed;
  }
  const std::size_t after = test::allocations;
  BOOST_TEST(changed == 1000U);
  BOOST_TEST(after == before);
}

// Whatever the bytes contain, the decoder reads none beyond them (ASan checks that), and returns only whole links.
BOOST_AUTO_TEST_CASE(mutations_do_no_harm) {
  std::mt19937 random(1);
  const auto below = [&random](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  const std::array<unsigned char, 8> edges{0, 1, 3, 4, 0x7f, 0x80, 0xfe, 0xff};
  LinkState link;
  std::size_t counts[4] = {};
  for (int round = 0; round < 100'000; ++round) {
    std::size_t size = test::veth_newlink.size();
    if (below(4) == 0) size = below(size + 1);
    const auto copy = std::make_unique<std::byte[]>(size);
    std::memcpy(copy.get(), test::veth_newlink.data(), size);
    if (size > 4 && below(8) == 0) copy[4] = std::byte{RTM_DELLINK};
    for (std::size_t changes = below(5); size != 0 && changes != 0; --changes) {
      const bool aimed = below(2) == 0;  // lengths and types are at multiples of 4; the first ones matter most
      const std::size_t at = aimed ? std::min(below(size) & ~std::size_t{3}, size - 1) : below(size);
      copy[at] = std::byte{below(2) == 0 ? edges[below(edges.size())] : static_cast<unsigned char>(below(256))};
    }
    if (size >= sizeof(nlmsghdr) && below(2) == 0) {
      const auto length = static_cast<std::uint32_t>(size);
      std::memcpy(copy.get(), &length, sizeof length);
    }
    [[maybe_unused]] const bool well_formed = each_message({copy.get(), size}, [&](const nlmsghdr& message) {
      const Decoded decoded = decode(message, link);
      ++counts[static_cast<std::size_t>(decoded)];
      if (decoded == Decoded::changed || decoded == Decoded::removed) BOOST_REQUIRE(link.ifindex > 0);
      if (decoded != Decoded::changed) return;
      BOOST_REQUIRE(!link.name.empty() && link.name.size() < IFNAMSIZ);
      BOOST_REQUIRE(link.operstate <= OperState::up && link.address.size <= link.address.bytes.size());
    });
  }
  for (const std::size_t count : counts) BOOST_TEST(count > 0U);
}

BOOST_AUTO_TEST_CASE(libnl_errors_keep_their_code_and_compare_with_errc) {
  const std::error_code error(NLE_AF_NOSUPPORT, netlink::error_category());
  BOOST_TEST(error.message() == nl_geterror(NLE_AF_NOSUPPORT));
  BOOST_TEST((error == std::errc::address_family_not_supported));
  BOOST_TEST((error != std::errc::too_many_files_open));
  BOOST_TEST(error.category().name() == "libnl"s);
}
