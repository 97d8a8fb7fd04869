// SPDX-License-Identifier: Apache-2.0
// check() reads the row of one port now, even if the engine considers it correct.
#define BOOST_TEST_MODULE sync_engine_check
#include <boost/test/unit_test.hpp>

#include "unit/core/sync_engine_fixture.hpp"

using namespace portsync;
using namespace portsync::test;

namespace {

std::vector<std::string> checked(const Recorder& recorder) {
  std::vector<std::string> found;
  for (const auto& event : recorder.events) {
    if (event.kind == Kind::row_checked) found.push_back(event.port + (event.error ? " " + event.error.message() : ""));
  }
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_row_that_vanished_behind_our_back_is_found_and_written_again) {
  Fixture f;
  f.begin(ports(2));
  f.sink().rows.clear();                                   // FLUSHDB
  BOOST_TEST(f.engine.port("Ethernet0", f.now)->in_sync);  // from memory
  BOOST_REQUIRE(!f.engine.check("Ethernet0"));
  f.turn();
  f.sink().answer_all();
  BOOST_TEST(checked(f.recorder) == std::vector<std::string>{"Ethernet0"}, boost::test_tools::per_element());
  BOOST_TEST(!f.engine.port("Ethernet0", f.now)->in_sync);
  f.settle();
  BOOST_TEST(f.sink().rows.count("Ethernet0") == 1U);
  BOOST_TEST(f.sink().rows.count("Ethernet1") == 0U);  // no check of this row was requested
}

BOOST_AUTO_TEST_CASE(a_check_reads_one_row_alone_and_writes_nothing_that_is_equal) {
  Fixture f;
  f.begin(ports(3));
  BOOST_REQUIRE(!f.engine.check("Ethernet1"));
  f.turn();
  BOOST_REQUIRE(f.sink().operations.size() == 1U);
  BOOST_TEST(f.sink().operations[0].ports == std::vector<std::string>{"Ethernet1"}, boost::test_tools::per_element());
  f.settle();
  const auto events = f.recorder.of(Kind::row_checked);
  BOOST_REQUIRE(events.size() == 1U);
  BOOST_TEST(events[0].record.size() == 2U);
  BOOST_TEST(f.sink().log.empty());
}

BOOST_AUTO_TEST_CASE(two_checks_while_one_is_being_read_are_two_answers) {
  Fixture f;
  f.begin(ports(2));
  BOOST_REQUIRE(!f.engine.check("Ethernet0"));
  f.turn();
  BOOST_REQUIRE(!f.engine.check("Ethernet1"));
  f.turn();
  f.settle();
  BOOST_TEST(checked(f.recorder) == (std::vector<std::string>{"Ethernet0", "Ethernet1"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_closed_store_is_an_answer_too) {
  Fixture f;
  f.begin(ports(1));
  BOOST_REQUIRE(!f.engine.check("Ethernet0"));
  f.turn();
  f.sink().close(lost);
  BOOST_REQUIRE(!f.engine.check("Ethernet0"));
  BOOST_TEST(checked(f.recorder).size() == 2U);
  f.recorder.events.clear();
  f.turn();
  BOOST_TEST(checked(f.recorder).empty());
}

BOOST_AUTO_TEST_CASE(a_check_that_is_refused_is_no_absence_and_stops_no_audit) {
  Fixture f;
  f.begin(ports(1));
  BOOST_REQUIRE(!f.engine.check("Ethernet0"));
  f.turn();
  f.sink().answer(refused);
  f.settle();
  BOOST_TEST(checked(f.recorder) == std::vector<std::string>{"Ethernet0 " + refused.message()},
             boost::test_tools::per_element());
  BOOST_TEST(f.engine.port("Ethernet0", f.now)->in_sync);
  BOOST_TEST(f.engine.statistics().writes == 1U);
}
