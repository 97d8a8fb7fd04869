// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_projection
#include <boost/test/unit_test.hpp>
#include <portsync/redis/state_sink.hpp>

using namespace portsync;

namespace {

constexpr std::uint32_t iff_up = 0x1;
constexpr std::uint32_t iff_running = 0x40;

LinkState port(std::uint32_t flags, std::optional<std::uint32_t> mtu = 9100) {
  LinkState link;
  link.ifindex = 7;
  link.name = "Ethernet0";
  link.flags = flags;
  link.mtu = mtu;
  return link;
}

PortRecord project(const LinkState& link, bool index = true) {
  redis::StateSinkOptions options;
  options.index = index;
  PortRecord record;
  redis::make_projection(options)(link, record);
  return record;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_row_has_our_four_fields_and_the_index_entry) {
  const PortRecord record = project(port(iff_up | iff_running));
  BOOST_TEST(record.port == "Ethernet0");
  BOOST_TEST(record.fields.size() == 5U);
  BOOST_TEST(*find_field(record, "state") == "ok");
  BOOST_TEST(*find_field(record, "netdev_oper_status") == "up");
  BOOST_TEST(*find_field(record, "admin_status") == "up");
  BOOST_TEST(*find_field(record, "mtu") == "9100");
  BOOST_TEST(*find_field(record, "@index") == "up");
}

BOOST_AUTO_TEST_CASE(oper_is_running_and_admin_is_up) {
  const auto status = [](std::uint32_t flags, const char* field) { return *find_field(project(port(flags)), field); };
  BOOST_TEST(status(iff_up, "netdev_oper_status") == "down");
  BOOST_TEST(status(iff_up, "@index") == "down");
  BOOST_TEST(status(iff_up, "admin_status") == "up");
  BOOST_TEST(status(iff_running, "netdev_oper_status") == "up");
  BOOST_TEST(status(iff_running, "admin_status") == "down");
  BOOST_TEST(status(0x10000, "netdev_oper_status") == "down");  // IFF_LOWER_UP is a different flag
}

BOOST_AUTO_TEST_CASE(without_an_index_there_is_no_entry) {
  const PortRecord record = project(port(iff_up), false);
  BOOST_TEST(record.fields.size() == 4U);
  BOOST_TEST(find_field(record, "@index") == nullptr);
}

BOOST_AUTO_TEST_CASE(an_mtu_that_the_kernel_did_not_say_is_left_out) {
  const PortRecord record = project(port(iff_up, std::nullopt));
  BOOST_TEST(record.fields.size() == 4U);
  BOOST_TEST(find_field(record, "mtu") == nullptr);
  BOOST_TEST(*find_field(project(port(0, 4294967295U)), "mtu") == "4294967295");
}

BOOST_AUTO_TEST_CASE(what_redis_does_not_hold_does_not_count) {
  LinkState changed = port(iff_up);
  changed.address.size = 6;
  changed.carrier_changes = 3;
  changed.master = 4;
  BOOST_TEST((project(changed) == project(port(iff_up))));
}

BOOST_AUTO_TEST_CASE(a_record_used_again_keeps_nothing_of_before_but_its_memory) {
  const Projection projection = redis::make_projection({});
  PortRecord record;
  projection(port(iff_up | iff_running), record);
  const auto* memory = record.fields.data();
  LinkState other = port(0, std::nullopt);
  other.name = "Ethernet4";
  projection(other, record);
  BOOST_TEST((record == project(other)));
  BOOST_TEST(record.fields.data() == memory);
}
