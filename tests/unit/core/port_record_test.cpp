// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE port_record
#include <boost/test/unit_test.hpp>
#include <portsync/port_record.hpp>

using namespace portsync;

namespace {

const PortRecord row{"Ethernet0", {{"state", "ok"}, {"mtu", "9100"}}};

}  // namespace

BOOST_AUTO_TEST_CASE(records_are_equal_in_every_member) {
  BOOST_TEST((PortRecord(row) == row));
  BOOST_TEST((row != PortRecord{"Ethernet4", row.fields}));
  BOOST_TEST((row != PortRecord{row.port, {{"state", "ok"}, {"mtu", "1500"}}}));
  BOOST_TEST((row != PortRecord{row.port, {{"state", "ok"}, {"MTU", "9100"}}}));
  BOOST_TEST((row != PortRecord{row.port, {{"state", "ok"}}}));
  BOOST_TEST((row != PortRecord{row.port, {{"mtu", "9100"}, {"state", "ok"}}}));  // the projection determines the order
}

BOOST_AUTO_TEST_CASE(a_field_is_found_by_its_name) {
  BOOST_REQUIRE(find_field(row, "mtu") != nullptr);
  BOOST_TEST(find_field(row, "mtu") == &row.fields[1].value);
  BOOST_TEST(find_field(row, "mt") == nullptr);
  BOOST_TEST(find_field({}, "mtu") == nullptr);
}
