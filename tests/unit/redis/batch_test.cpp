// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_batch
#include "redis/batch.hpp"

#include <boost/test/unit_test.hpp>

#include "support/cpp/resp_text.hpp"

using namespace portsync;
using namespace portsync::redis;
using namespace portsync::test;
using Lines = std::vector<std::string>;

namespace {

PortRecord record(const std::string& port, const std::string& oper = "up", const std::string& mtu = "9100") {
  return {port,
          {{"state", "ok"}, {"netdev_oper_status", oper}, {"admin_status", "up"}, {"mtu", mtu}, {"@index", oper}}};
}

std::string hset(const std::string& port, const std::string& oper = "up", const std::string& mtu = "9100") {
  return "HSET PORT_TABLE|" + port + " state ok netdev_oper_status " + oper + " admin_status up mtu " + mtu;
}

const std::string hdel_e0 = "HDEL PORT_TABLE|E0 state netdev_oper_status admin_status mtu";

struct Fixture {
  StateSinkOptions options;
  Batch batch{options};
  Batch::Layout layout;

  Lines finish(bool transaction = true) {
    CommandBuffer out;
    layout = batch.finish(out, transaction);
    return lines(out);
  }
};

void check(const Lines& got, const Lines& expected) {
  BOOST_TEST(got == expected, boost::test_tools::per_element());
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(batch_, Fixture)

BOOST_AUTO_TEST_CASE(new_rows_and_their_index_entries_are_two_plus_rows_plus_one_commands) {
  BOOST_TEST(batch.put(record("E0"), nullptr) == 1U);
  BOOST_TEST(batch.put(record("E4", "down"), nullptr) == 1U);
  check(finish(), {"MULTI", hset("E0"), hset("E4", "down"), "HSET PORT_TABLE E0 up E4 down", "EXEC"});
  BOOST_TEST(layout.transaction);
  BOOST_TEST(layout.rows == 2U);
  BOOST_TEST(layout.index_commands == 1U);
}

BOOST_AUTO_TEST_CASE(a_change_that_is_not_the_indexs_goes_without_multi) {
  const auto stored = record("E0", "up", "1500");
  BOOST_TEST(batch.put(record("E0"), &stored) == 1U);
  check(finish(), {hset("E0")});
  BOOST_TEST(!layout.transaction);
}

BOOST_AUTO_TEST_CASE(what_is_stored_already_is_not_written) {
  const auto stored = record("E0");
  BOOST_TEST(batch.put(record("E0"), &stored) == 0U);
  check(finish(), {});
  BOOST_TEST(layout.rows + layout.index_commands == 0U);
}

BOOST_AUTO_TEST_CASE(an_index_entry_alone_is_written_alone) {
  auto stored = record("E0");
  stored.fields.pop_back();
  BOOST_TEST(batch.put(record("E0"), &stored) == 0U);
  check(finish(), {"MULTI", "HSET PORT_TABLE E0 up", "EXEC"});
}

BOOST_AUTO_TEST_CASE(the_order_of_a_stored_rows_fields_does_not_matter) {
  auto stored = record("E0");
  std::swap(stored.fields[0], stored.fields[4]);
  BOOST_TEST(batch.put(record("E0"), &stored) == 0U);
  check(finish(), {});
}

BOOST_AUTO_TEST_CASE(without_an_index_there_is_neither_entry_nor_multi) {
  options.index = false;
  batch.put(record("E0"), nullptr);
  batch.erase("E4");
  check(finish(), {hset("E0"), "HDEL PORT_TABLE|E4 state netdev_oper_status admin_status mtu"});
}

BOOST_AUTO_TEST_CASE(while_the_index_is_suspended_rows_alone_are_written) {
  batch.suspend_index(true);
  batch.put(record("E0"), nullptr);
  batch.erase("E4");
  check(finish(), {hset("E0"), "HDEL PORT_TABLE|E4 state netdev_oper_status admin_status mtu"});
  batch.suspend_index(false);
  batch.put(record("E0", "down"), nullptr);
  BOOST_TEST(finish().at(2) == "HSET PORT_TABLE E0 down");
}

BOOST_AUTO_TEST_CASE(erasing_removes_our_fields_and_the_entry) {
  BOOST_TEST(batch.erase("E0") == 1U);
  check(finish(), {"MULTI", hdel_e0, "HDEL PORT_TABLE E0", "EXEC"});
}

BOOST_AUTO_TEST_CASE(erasing_the_whole_key_if_that_is_wanted) {
  options.erase = EraseMode::whole_key;
  BOOST_TEST(batch.erase("E0") == 1U);
  check(finish(), {"MULTI", "DEL PORT_TABLE|E0", "HDEL PORT_TABLE E0", "EXEC"});
}

BOOST_AUTO_TEST_CASE(rows_keep_their_order_and_the_index_its_last_word) {
  batch.erase("E0");
  batch.put(record("E0", "down"), nullptr);
  batch.put(record("E4"), nullptr);
  batch.erase("E4");
  check(finish(), {"MULTI", hdel_e0, hset("E0", "down"), hset("E4"),
                   "HDEL PORT_TABLE|E4 state netdev_oper_status admin_status mtu", "HSET PORT_TABLE E0 down",
                   "HDEL PORT_TABLE E4", "EXEC"});
  BOOST_TEST(layout.rows == 4U);
  BOOST_TEST(layout.index_commands == 2U);
}

BOOST_AUTO_TEST_CASE(many_changes_of_one_port_leave_its_last) {
  for (int i = 0; i < 50; ++i) {
    batch.put(record("E0", "down"), nullptr);
    batch.put(record("E1", "up"), nullptr);
    batch.put(record("E0", "up"), nullptr);
    batch.erase("E2");
  }
  const Lines got = finish();
  BOOST_TEST(got[got.size() - 3] == "HSET PORT_TABLE E0 up E1 up");
  BOOST_TEST(got[got.size() - 2] == "HDEL PORT_TABLE E2");
}

BOOST_AUTO_TEST_CASE(plain_batches_have_the_index_after_the_rows) {
  batch.put(record("E0"), nullptr);
  check(finish(false), {hset("E0"), "HSET PORT_TABLE E0 up"});
  BOOST_TEST(!layout.transaction);
  BOOST_TEST(layout.index_commands == 1U);
}

BOOST_AUTO_TEST_CASE(a_field_that_is_no_longer_known_is_removed) {
  auto now = record("E0");
  now.fields.erase(now.fields.begin() + 3);
  const auto stored = record("E0");
  BOOST_TEST(batch.put(now, &stored) == 2U);
  check(finish(), {"HSET PORT_TABLE|E0 state ok netdev_oper_status up admin_status up", "HDEL PORT_TABLE|E0 mtu"});
  BOOST_TEST(batch.put(now, &now) == 0U);
}

BOOST_AUTO_TEST_CASE(other_tables_and_separators) {
  options.table = "NEIGH";
  options.separator = ":";
  batch.put({"E0", {{"state", "ok"}}}, nullptr);
  const Lines got = finish();
  BOOST_TEST(got[0] == "HSET NEIGH:E0 state ok");
}

BOOST_AUTO_TEST_CASE(a_batch_starts_empty_after_the_one_before) {
  batch.put(record("E0"), nullptr);
  (void)finish();
  check(finish(), {});
  batch.put(record("E0"), nullptr);
  batch.clear();
  check(finish(), {});
}

BOOST_AUTO_TEST_SUITE_END()
