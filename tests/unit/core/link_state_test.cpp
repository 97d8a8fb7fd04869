// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE link_state
#include <boost/test/unit_test.hpp>
#include <functional>
#include <portsync/link_state.hpp>
#include <portsync/port_record.hpp>
#include <vector>

using namespace portsync;

namespace {

// Returns a change of each member. The structured binding does not compile after a member is added, so that its author
// must add it here and to the comparison.
std::vector<std::function<void(LinkState&)>> changes_of_each_member() {
  LinkState link;
  const auto& [ifindex, name, flags, operstate, mtu, carrier_changes, carrier_up_count, carrier_down_count, address,
               master, parent, kind, slave_kind, phys_port_name, alternative_names, parent_netnsid] = link;
  (void)ifindex, (void)name, (void)flags, (void)operstate, (void)mtu, (void)carrier_changes, (void)carrier_up_count;
  (void)carrier_down_count, (void)address, (void)master, (void)parent, (void)kind, (void)slave_kind;
  (void)phys_port_name, (void)alternative_names, (void)parent_netnsid;
  return {
      [](LinkState& l) { l.ifindex = 9; },
      [](LinkState& l) { l.name = "x"; },
      [](LinkState& l) { l.flags = 1; },
      [](LinkState& l) { l.operstate = OperState::up; },
      [](LinkState& l) { l.mtu = 0; },
      [](LinkState& l) { l.carrier_changes = 0; },
      [](LinkState& l) { l.carrier_up_count = 0; },
      [](LinkState& l) { l.carrier_down_count = 0; },
      [](LinkState& l) { l.address.size = 6; },
      [](LinkState& l) { l.master = 1; },
      [](LinkState& l) { l.parent = 1; },
      [](LinkState& l) { l.kind = "x"; },
      [](LinkState& l) { l.slave_kind = "x"; },
      [](LinkState& l) { l.phys_port_name = "x"; },
      [](LinkState& l) { l.alternative_names = {"x"}; },
      [](LinkState& l) { l.parent_netnsid = 0; },
  };
}

}  // namespace

BOOST_AUTO_TEST_CASE(links_are_equal_in_every_member_or_not_at_all) {
  const auto changes = changes_of_each_member();
  BOOST_TEST(changes.size() == 16U);
  for (const auto& change : changes) {
    LinkState changed;
    BOOST_TEST((changed == LinkState{}));
    change(changed);
    BOOST_TEST((changed != LinkState{}));
  }
}

BOOST_AUTO_TEST_CASE(addresses_compare_by_their_used_bytes) {
  HardwareAddress a;
  a.size = 6;
  a.bytes[0] = 2;
  HardwareAddress b = a;
  b.bytes[10] = 1;
  BOOST_TEST((a == b));
  b.bytes[5] = 1;
  BOOST_TEST((a != b));
  BOOST_TEST(to_string(b) == "02:00:00:00:00:01");
  BOOST_TEST(to_string(HardwareAddress{}) == "");
}

BOOST_AUTO_TEST_CASE(records_compare_and_find_fields) {
  const PortRecord a{"Ethernet0", {{"state", "ok"}, {"mtu", "9100"}}};
  PortRecord b = a;
  BOOST_TEST((a == b));
  b.fields[1].value = "1500";
  BOOST_TEST((a != b));
  BOOST_TEST((*find_field(b, "mtu") == "1500"));
  BOOST_TEST((find_field(b, "speed") == nullptr));
  b = a;
  b.port = "Ethernet4";
  BOOST_TEST((a != b));
}

BOOST_AUTO_TEST_CASE(flags_are_read_by_name) {
  LinkState link;
  link.flags = 0x1;
  BOOST_TEST((link.admin_up() && !link.running() && !link.lower_up()));
  link.flags = 0x40;
  BOOST_TEST((!link.admin_up() && link.running() && !link.lower_up()));
  link.flags = 0x10000;
  BOOST_TEST((!link.admin_up() && !link.running() && link.lower_up()));
}
