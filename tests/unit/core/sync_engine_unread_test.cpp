// SPDX-License-Identifier: Apache-2.0
// Rows whose contents are unknown: refused ones, those that may not be read, and those that an older filter skipped.
#define BOOST_TEST_MODULE sync_engine_unread
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "unit/core/sync_engine_fixture.hpp"

using namespace portsync;
using namespace portsync::test;
using Operation = FakeSink::Operation;

namespace {

// A port whose change was refused.
struct RefusedFixture : Fixture {
  RefusedFixture() {
    begin(ports(2));
    source.change(make_link(100, "Ethernet0", false));
    source.drained();
    turn();
    sink().answer(refused);
    turn();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_refused_row_is_read_before_its_retry_and_what_is_right_is_not_sent_again, RefusedFixture) {
  sink().rows["Ethernet0"] = {{"oper", "down"}, {"mtu", "9100"}};  // the refused write was stored in part
  turn(2s);
  BOOST_REQUIRE(sink().operations.size() == 1U);
  BOOST_CHECK(sink().operations[0].kind == Operation::Kind::read);
  BOOST_TEST(sink().operations[0].ports == std::vector<std::string>{"Ethernet0"}, boost::test_tools::per_element());
  sink().answer();
  turn();
  BOOST_REQUIRE(sink().operations.size() == 1U);
  BOOST_TEST((sink().operations[0].stored == FakeSink::Fields{{"oper", "down"}, {"mtu", "9100"}}));
  settle();
  BOOST_TEST((sink().rows["Ethernet0"] == down));
  BOOST_TEST(engine.drained());
  BOOST_TEST(engine.statistics().audits == 0U);  // to read a refused row is no audit
}

BOOST_FIXTURE_TEST_CASE(a_refused_write_that_was_stored_whole_is_not_repeated, RefusedFixture) {
  sink().rows["Ethernet0"] = down;
  turn(2s);
  settle();
  BOOST_TEST(sink().log.empty());
  BOOST_TEST(engine.all_stored());
}

BOOST_AUTO_TEST_CASE(a_row_that_could_not_be_read_is_read_before_a_refused_write_is_repeated) {
  Fixture f;
  f.sink().rows["Ethernet0"] = up;  // from before the restart
  f.sink().unreadable = {"Ethernet0"};
  f.turn();
  f.sink().open();
  f.snapshot(ports(1));
  f.turn();
  f.sink().answer();  // the read-back
  f.turn();
  f.sink().answer(refused);
  f.sink().unreadable.clear();  // the permission is back
  f.turn(2s);
  f.settle();
  BOOST_TEST(f.sink().log.empty());
  BOOST_TEST(f.engine.all_stored());
}

BOOST_AUTO_TEST_CASE(what_could_be_read_of_an_unreadable_row_is_not_sent_again) {
  Fixture f;
  f.turn();
  f.sink().open();
  f.snapshot(ports(1));
  f.turn();
  f.sink().operations.clear();  // the test answers this read-back
  const std::vector<std::pair<std::string_view, std::string_view>> fields{{"mtu", "1500"}};
  f.sink().observer().on_row({"Ethernet0", &fields, StoredRow::Owner::ours, {}, false});
  f.sink().observer().on_read_back({});
  f.turn();
  BOOST_REQUIRE(f.sink().operations.size() == 1U);
  BOOST_TEST((f.sink().operations[0].stored == FakeSink::Fields{{"mtu", "1500"}}));
}

BOOST_AUTO_TEST_CASE(what_could_be_read_of_an_unreadable_row_is_compared) {
  for (const char* mtu : {"1500", "9100"}) {
    Fixture f;
    f.begin(ports(1));
    BOOST_REQUIRE(!f.engine.audit(Scope::listed));
    f.turn();
    f.sink().operations.clear();  // the test answers this read-back
    const std::vector<std::pair<std::string_view, std::string_view>> fields{{"mtu", mtu}};
    f.sink().observer().on_row({"Ethernet0", &fields, StoredRow::Owner::ours, {}, false});
    f.sink().observer().on_read_back({});
    f.turn();
    BOOST_REQUIRE(f.sink().operations.size() == (mtu == std::string_view("1500") ? 0U : 1U));
    if (f.sink().operations.empty()) continue;
    BOOST_TEST((f.sink().operations[0].stored == FakeSink::Fields{{"oper", "up"}, {"mtu", "9100"}}));
  }
}

BOOST_FIXTURE_TEST_CASE(a_check_of_a_refused_row_does_not_retry_it_before_its_pause_is_over, RefusedFixture) {
  for (const bool readable : {true, false}) {
    if (!readable) sink().unreadable = {"Ethernet0"};
    BOOST_REQUIRE(!engine.check("Ethernet0"));
    settle();
    BOOST_TEST(sink().log.empty());
  }
  sink().unreadable.clear();
  turn(2s);
  settle();
  BOOST_TEST((sink().log == Log{"put Ethernet0"}));
}

BOOST_FIXTURE_TEST_CASE(an_audit_does_not_retry_a_refused_row_before_its_pause_is_over, RefusedFixture) {
  BOOST_REQUIRE(!engine.audit(Scope::listed));
  settle();
  BOOST_TEST(sink().log.empty());
  turn(2s);
  settle();
  BOOST_TEST((sink().log == Log{"put Ethernet0"}));
}

BOOST_FIXTURE_TEST_CASE(a_check_finds_a_refused_row_that_is_right, RefusedFixture) {
  sink().rows["Ethernet0"] = down;
  BOOST_REQUIRE(!engine.check("Ethernet0"));
  settle();
  BOOST_TEST(engine.all_stored());
  turn(2s);
  BOOST_TEST(sink().operations.empty());
}

BOOST_AUTO_TEST_CASE(equal_rows_are_not_written_when_a_wrong_filter_is_corrected) {
  Fixture f(matching({"ethernet*"}));
  f.sink().rows = {{"Ethernet0", up}, {"Ethernet1", down}};
  f.begin(ports(3));
  f.engine.set_options(matching({"Ethernet*"}));
  f.settle();
  std::sort(f.sink().log.begin(), f.sink().log.end());
  BOOST_TEST((f.sink().log == Log{"put Ethernet1", "put Ethernet2"}));
  BOOST_TEST(f.engine.all_stored());
  BOOST_TEST(f.engine.statistics().drift_repaired == 0U);
}

// The read-back under way skips the names that match only now.
BOOST_AUTO_TEST_CASE(equal_rows_are_not_written_when_the_filter_changes_during_a_read_back) {
  for (const bool first : {true, false}) {
    Fixture f(matching({"eth*"}));
    f.sink().rows = {{"Ethernet0", up}};
    f.turn();
    f.sink().open();
    f.snapshot({make_link(1, "eth0"), make_link(100, "Ethernet0")});
    if (!first) {
      f.settle();
      BOOST_REQUIRE(!f.engine.audit(Scope::all));
    }
    f.sink().log.clear();
    f.turn();
    BOOST_REQUIRE(f.sink().operations.size() == 1U);
    f.sink().operations.clear();  // the test answers: it has read Ethernet0 and ignored it
    f.engine.set_options(matching({"eth*", "Ethernet*"}));
    if (!first) f.sink().observer().on_row({"eth0", &stored_up});
    f.sink().observer().on_read_back({});
    f.settle();
    BOOST_TEST((f.sink().log == (first ? Log{"put eth0"} : Log{})), "first " << first);
    BOOST_TEST(f.engine.all_stored());
  }
}

BOOST_AUTO_TEST_CASE(a_link_that_comes_while_the_rows_of_a_new_filter_are_read_is_not_written_unread) {
  Fixture f(matching({"eth*"}));
  f.sink().rows = {{"Ethernet4", up}};
  f.begin({make_link(1, "eth0")});
  f.engine.set_options(matching({"eth*", "Ethernet*"}));
  f.turn();
  f.source.change(make_link(4, "Ethernet4"));
  f.source.change(make_link(8, "Ethernet8"));
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().log == Log{"put Ethernet8"}));
  f.source.change(make_link(12, "Ethernet12"));  // from here on no row has to be read first
  f.source.drained();
  f.turn();
  BOOST_REQUIRE(f.sink().operations.size() == 1U);
  BOOST_CHECK(f.sink().operations[0].kind == Operation::Kind::put);
}

BOOST_AUTO_TEST_CASE(a_write_only_sink_gets_the_rows_of_a_new_filter_at_once) {
  Fixture f(matching({"eth*"}));
  f.sink().write_only = true;
  f.begin(ports(1));
  f.engine.set_options(matching({"Ethernet*"}));
  f.settle();
  BOOST_TEST((f.sink().log == Log{"put Ethernet0"}));
}

BOOST_AUTO_TEST_CASE(an_unreadable_row_of_no_port_is_read_by_audits_of_the_known_rows) {
  Fixture f;
  f.sink().rows = {{"Ethernet9", up}};
  f.sink().unreadable = {"Ethernet9"};
  f.begin(ports(1));
  BOOST_REQUIRE(!f.engine.audit(Scope::listed));
  f.turn();
  BOOST_REQUIRE(f.sink().operations.size() == 1U);
  BOOST_TEST(f.sink().operations[0].ports == (std::vector<std::string>{"Ethernet0", "Ethernet9"}),
             boost::test_tools::per_element());
  f.settle();
  BOOST_TEST(f.sink().log.empty());  // it is not removed unread
  f.sink().unreadable.clear();
  BOOST_REQUIRE(!f.engine.audit(Scope::listed));
  f.settle();
  BOOST_TEST((f.sink().log == Log{"erase Ethernet9"}));
}

BOOST_AUTO_TEST_CASE(unreadable_rows_are_left_alone_too_while_no_link_matches) {
  Fixture f;
  f.sink().rows = {{"Ethernet0", up}, {"Ethernet4", up}, {"foreign", up}};
  f.sink().unreadable = {"Ethernet0", "foreign"};
  f.begin({make_link(1, "lo")});
  BOOST_TEST(f.engine.statistics().rows_left_alone == 2U);
  f.sink().rows.erase("Ethernet0");
  BOOST_REQUIRE(!f.engine.audit(Scope::listed));
  f.settle();
  BOOST_TEST(f.engine.statistics().rows_left_alone == 1U);
}

// The rest of a row (an index entry) whose removal was sent before the read-back began.
BOOST_AUTO_TEST_CASE(what_a_removal_left_is_what_a_new_link_is_compared_with) {
  Fixture f;
  f.begin(ports(2));
  f.source.remove(101);
  f.source.drained();
  f.turn();
  BOOST_REQUIRE(!f.engine.audit(Scope::all));
  f.turn();
  BOOST_REQUIRE(f.sink().operations.size() == 2U);
  f.sink().answer();                        // the removal
  f.sink().rows["Ethernet1"] = {{"mtu", "1500"}};  // is what it has left
  f.source.change(make_link(102, "Ethernet1"));
  f.source.drained();
  f.sink().answer();  // the read-back
  f.turn();
  BOOST_REQUIRE(f.sink().operations.size() == 1U);
  BOOST_TEST((f.sink().operations[0].stored == FakeSink::Fields{{"mtu", "1500"}}));
}

// The rows of the read-back are answered by hand, with what was there when it began.
struct EarlyReadFixture : Fixture {
  EarlyReadFixture() {
    sink().rows["Ethernet4"] = up;
    turn();
    sink().open();
    snapshot(ports(1));
    settle();
    sink().rows["Ethernet4"] = up;  // brought back
    sink().log.clear();
    BOOST_REQUIRE(!engine.audit(Scope::all));
    turn();
    BOOST_REQUIRE(sink().operations.size() == 1U);
    sink().operations.clear();
  }
  void found(std::string_view port) { sink().observer().on_row({port, &stored_up}); }
  // The link comes, and is written; then it goes, and its row is removed.
  void come_and_go() {
    source.change(make_link(4, "Ethernet4"));
    source.drained();
    turn();
    sink().answer_all();
    source.remove(4);
    source.drained();
    turn();
    sink().answer_all();
    sink().log.clear();
  }
};

BOOST_FIXTURE_TEST_CASE(a_stale_row_whose_link_came_and_went_after_it_was_read_is_not_removed_again, EarlyReadFixture) {
  found("Ethernet0");
  found("Ethernet4");
  come_and_go();
  sink().observer().on_read_back({});
  settle();
  BOOST_TEST(sink().log.empty());
  BOOST_TEST((sink().rows == Rows{{"Ethernet0", up}}));
}

BOOST_FIXTURE_TEST_CASE(a_row_read_before_it_was_removed_is_not_what_a_new_link_is_compared_with, EarlyReadFixture) {
  come_and_go();
  source.change(make_link(5, "Ethernet4"));  // its row is gone, and has to be written
  found("Ethernet0");
  found("Ethernet4");
  sink().observer().on_read_back({});
  source.drained();
  settle();
  BOOST_TEST((sink().rows == Rows{{"Ethernet0", up}, {"Ethernet4", up}}));
}
