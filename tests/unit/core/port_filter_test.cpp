// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE port_filter
#include <boost/test/unit_test.hpp>
#include <portsync/port_filter.hpp>

#include "support/cpp/fakes.hpp"

using portsync::PortFilter;
using portsync::test::make_link;

BOOST_AUTO_TEST_CASE(front_panel_ports_match_by_default) {
  const PortFilter filter;
  for (const char* name : {"Ethernet0", "Ethernet1024", "Ethernet-BP0", "Ethernet-Rec0", "Ethernet-IB0"}) {
    BOOST_TEST(filter.matches_name(name), name);
  }
  for (const char* name : {"", "eth0", "PortChannel1", "lo", "ethernet0", "xEthernet0", "Vlan10"}) {
    BOOST_TEST(!filter.matches_name(name), name);
  }
}

BOOST_AUTO_TEST_CASE(sub_interfaces_never_match) {
  PortFilter filter;
  filter.match = {"*"};
  BOOST_TEST(!filter.matches_name("Ethernet0.10"));
  BOOST_TEST(!filter.matches_name("Eth0.1"));
  BOOST_TEST(filter.matches_name("Ethernet0.x"));
  BOOST_TEST(filter.matches_name("Ethernet0."));
  auto vlan = make_link(1, "Ethernet0");
  BOOST_TEST(filter.matches(vlan));
  vlan.kind = "vlan";
  BOOST_TEST(!filter.matches(vlan));
}

BOOST_AUTO_TEST_CASE(a_name_that_no_interface_can_have_never_matches) {
  BOOST_TEST(PortFilter{}.matches_name("Ethernet1234567"));
  BOOST_TEST(!PortFilter{}.matches_name("Ethernet12345678"));
}

BOOST_AUTO_TEST_CASE(any_of_the_globs_is_enough) {
  PortFilter filter;
  filter.match = {"eth[0-3]", "swp?"};
  BOOST_TEST(filter.matches_name("eth2"));
  BOOST_TEST(filter.matches_name("swp7"));
  BOOST_TEST(!filter.matches_name("eth4"));
  BOOST_TEST(!filter.matches_name("swp77"));
  filter.match.clear();
  BOOST_TEST(!filter.matches_name("eth2"));
}

BOOST_AUTO_TEST_CASE(a_name_that_is_listed_needs_no_glob) {
  PortFilter filter;
  filter.also = {"", "Recirc0", "Recirc0.10", "Recirc0123456789", "Re*", "Rec[0-9]"};
  BOOST_TEST(filter.matches_name("Recirc0"));
  BOOST_TEST(filter.matches_name("Ethernet0"));
  BOOST_TEST(filter.matches_name("Re*"));
  BOOST_TEST(!filter.matches_name("Recirc1"));
  BOOST_TEST(!filter.matches_name("Rec1"));
  BOOST_TEST(!filter.matches_name(""));
  BOOST_TEST(!filter.matches_name("Recirc0.10"));
  BOOST_TEST(!filter.matches_name("Recirc0123456789"));
  BOOST_TEST((filter != PortFilter{}));
  portsync::LinkState lag;
  lag.name = "Recirc0";
  lag.kind = "team";
  BOOST_TEST(!filter.matches(lag));
}

BOOST_AUTO_TEST_CASE(only_configured_names_match_where_that_is_asked_for) {
  PortFilter filter;
  filter.configured = {"Ethernet0", "eth0"};
  BOOST_TEST(filter.matches_name("Ethernet0"));
  BOOST_TEST(!filter.matches_name("Ethernet4"));
  BOOST_TEST(!filter.matches_name("eth0"));
}
