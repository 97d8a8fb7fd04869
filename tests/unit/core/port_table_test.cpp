// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE port_table
#include "core/port_table.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace portsync;
using core::PortTable;
using core::Slot;
using core::Touch;

namespace {

struct Fixture {
  using Names = std::vector<std::string>;

  LinkState make(std::int32_t ifindex, const std::string& name, const std::string& kind = "") const {
    LinkState link;
    link.ifindex = ifindex;
    link.name = name;
    link.kind = kind;
    return link;
  }
  void change(std::int32_t ifindex, const std::string& name, const std::string& kind = "") {
    table.change(make(ifindex, name, kind), false, touch);
  }
  // Returns the names of the ports that were touched since the last call.
  Names touched() {
    Names names;
    for (const Slot slot : std::exchange(slots, {})) names.push_back(table.name(slot));
    return names;
  }
  // Returns the ifindex of the link that has this port; 0 if no link has it, -1 if there is no such port.
  std::int32_t owner(const std::string& name) const {
    const Slot slot = table.find(name);
    if (slot == PortTable::none) return -1;
    return table.link(slot) == nullptr ? 0 : table.link(slot)->ifindex;
  }

  const Touch touch{TimePoint(std::chrono::seconds(5)), Cause::resync};
  std::vector<Slot> slots;
  PortTable table{PortFilter{{"Ethernet*"}, std::nullopt}, [this](Slot slot, const Touch& by) {
                    slots.push_back(slot);
                    BOOST_TEST((by.when == touch.when));
                    BOOST_TEST((by.cause == touch.cause));
                  }};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_link_that_matches_is_a_port_and_others_are_only_known, Fixture) {
  BOOST_TEST(!table.ever_matched());
  change(1, "lo");
  BOOST_TEST(touched().empty());
  BOOST_TEST(owner("lo") == -1);
  BOOST_REQUIRE(table.link_of(1) != nullptr);
  BOOST_TEST(table.link_of(1)->name == "lo");
  BOOST_TEST(!table.ever_matched());
  change(2, "Ethernet0");
  BOOST_TEST((touched() == Names{"Ethernet0"}));
  BOOST_TEST(owner("Ethernet0") == 2);
  BOOST_TEST(table.matching() == 1U);
  BOOST_TEST(table.ever_matched());
  change(2, "Ethernet0");
  BOOST_TEST((touched() == Names{"Ethernet0"}));
}

BOOST_FIXTURE_TEST_CASE(a_port_outlives_its_link, Fixture) {
  change(2, "Ethernet0");
  (void)touched();
  table.remove(2, touch);
  BOOST_TEST((touched() == Names{"Ethernet0"}));
  BOOST_TEST(owner("Ethernet0") == 0);
  BOOST_TEST(table.link_of(2) == nullptr);
  BOOST_TEST(table.matching() == 0U);
  table.remove(2, touch);
  BOOST_TEST(touched().empty());
}

BOOST_FIXTURE_TEST_CASE(a_rename_leaves_one_port_and_takes_the_other, Fixture) {
  change(2, "Ethernet0");
  (void)touched();
  change(2, "Ethernet4");
  BOOST_TEST((touched() == Names{"Ethernet0", "Ethernet4"}));
  BOOST_TEST(owner("Ethernet0") == 0);
  BOOST_TEST(owner("Ethernet4") == 2);
  change(2, "swp1");
  BOOST_TEST((touched() == Names{"Ethernet4"}));
  BOOST_TEST(table.matching() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_link_that_becomes_a_vlan_is_no_port_any_more, Fixture) {
  change(2, "Ethernet0");
  (void)touched();
  change(2, "Ethernet0", "vlan");
  BOOST_TEST((touched() == Names{"Ethernet0"}));
  BOOST_TEST(owner("Ethernet0") == 0);
}

// Names are unique in the kernel. So the notification of the other link's new name is still to come, or was lost.
BOOST_FIXTURE_TEST_CASE(of_two_links_that_claim_a_name_the_one_heard_of_last_has_it, Fixture) {
  change(2, "Ethernet0");
  change(3, "Ethernet0");
  BOOST_TEST(owner("Ethernet0") == 3);
  BOOST_TEST(table.matching() == 1U);
  change(2, "Ethernet4");
  BOOST_TEST(owner("Ethernet4") == 2);
  BOOST_TEST(owner("Ethernet0") == 3);
  BOOST_TEST(table.matching() == 2U);
}

BOOST_FIXTURE_TEST_CASE(names_swapped_in_three_steps_end_right, Fixture) {
  change(2, "Ethernet0");
  change(3, "Ethernet4");
  change(2, "tmp");
  change(3, "Ethernet0");
  change(2, "Ethernet4");
  BOOST_TEST(owner("Ethernet0") == 3);
  BOOST_TEST(owner("Ethernet4") == 2);
}

BOOST_FIXTURE_TEST_CASE(a_link_gets_its_port_back_when_a_snapshot_says_that_it_has_the_name_after_all, Fixture) {
  change(2, "Ethernet0");
  change(3, "Ethernet0");  // and it was renamed again, without a notification
  table.on_names_known(touch);
  BOOST_TEST(owner("Ethernet0") == 3);  // it still has the name
  table.remove(3, touch);
  (void)touched();
  table.on_names_known(touch);
  BOOST_TEST((touched() == Names{"Ethernet0"}));
  BOOST_TEST(owner("Ethernet0") == 2);
}

BOOST_FIXTURE_TEST_CASE(another_filter_takes_and_gives_ports, Fixture) {
  change(2, "Ethernet0");
  change(3, "swp1");
  (void)touched();
  table.set_filter(PortFilter{{"swp*"}, std::nullopt}, touch);
  BOOST_TEST(owner("Ethernet0") == 0);
  BOOST_TEST(owner("swp1") == 3);
  BOOST_TEST(touched().size() == 2U);
  table.set_filter(PortFilter{{"swp*"}, std::nullopt}, touch);
  BOOST_TEST(touched().empty());
}

BOOST_FIXTURE_TEST_CASE(a_slot_is_used_again_after_its_release, Fixture) {
  const Slot slot = table.intern("Ethernet0");  // a row without a link
  BOOST_TEST(table.intern("Ethernet0") == slot);
  BOOST_TEST(table.in_use(slot));
  BOOST_TEST(table.link(slot) == nullptr);
  table.release(slot);
  BOOST_TEST(!table.in_use(slot));
  BOOST_TEST(table.find("Ethernet0") == PortTable::none);
  BOOST_TEST(table.intern("Ethernet4") == slot);
  BOOST_TEST(table.end() == slot + 1);
}

BOOST_FIXTURE_TEST_CASE(a_lasting_link_is_the_source_s_own_until_copies_are_kept, Fixture) {
  LinkState link = make(2, "Ethernet0");
  table.change(link, true, touch);
  BOOST_TEST(table.link_of(2) == &link);
  link.mtu = 9100;
  BOOST_TEST((table.link(table.find("Ethernet0"))->mtu == 9100U));
  table.keep_copies();
  BOOST_TEST(table.link_of(2) != &link);
  link.mtu = 1500;
  BOOST_TEST((table.link_of(2)->mtu == 9100U));
}
