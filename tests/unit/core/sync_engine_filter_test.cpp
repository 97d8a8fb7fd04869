// SPDX-License-Identifier: Apache-2.0
// Which rows the engine removes after the filter changed, or when no link matches it.
#define BOOST_TEST_MODULE sync_engine_filter
#include <boost/test/unit_test.hpp>

#include "unit/core/sync_engine_fixture.hpp"

using namespace portsync;
using namespace portsync::test;
using Owner = StoredRow::Owner;

namespace {

struct MonitoredFixture : Fixture {
  explicit MonitoredFixture(SynchronizerOptions options = {}) : Fixture(std::move(options)) {
    engine.set_health_monitor(monitor);
  }
  [[nodiscard]] const HealthReport& last() const { return monitor.reports.back(); }

  RecordingMonitor monitor;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_filter_narrowed_before_the_restart_removes_the_rows_that_the_store_says_are_ours) {
  Fixture f(matching({"Ethernet?"}));
  f.sink().rows = {{"Ethernet0", up}, {"Ethernet12", up}, {"Ethernet16", up}, {"Ethernet0.10", up}};
  f.sink().owners = {{"Ethernet12", Owner::ours}, {"Ethernet16", Owner::likely}, {"Ethernet0.10", Owner::ours}};
  f.turn();
  f.sink().open();
  f.snapshot({make_link(1, "Ethernet0"), make_link(2, "Ethernet12")});
  f.settle();
  // Another program's row may have the same fields, and a sub-interface's row is never ours.
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}, {"Ethernet16", up}, {"Ethernet0.10", up}}));
  BOOST_TEST(f.engine.statistics().rows_left_alone == 0U);
}

BOOST_AUTO_TEST_CASE(a_filter_with_one_wrong_letter_removes_nothing_at_a_reload) {
  MonitoredFixture f;
  f.begin(ports(3));
  f.engine.set_options(matching({"ethernet*"}));
  f.settle();
  BOOST_TEST(f.sink().rows.size() == 3U);
  BOOST_TEST(f.sink().log.empty());
  BOOST_TEST(f.engine.statistics().rows_left_alone == 3U);
  BOOST_TEST(f.engine.statistics().pending == 0U);
  BOOST_TEST(f.recorder.of(Kind::rows_left_alone).at(0).count == 3U);
  BOOST_TEST(f.last().rows_left_alone == 3U);
  BOOST_TEST(f.last().match == "ethernet*");
  // After the correction the rows are compared, and nothing is written.
  f.engine.set_options(matching({"Ethernet*"}));
  f.settle();
  BOOST_TEST(f.sink().log.empty());
  BOOST_TEST(f.engine.statistics().rows_left_alone == 0U);
  BOOST_TEST(f.last().rows_left_alone == 0U);
}

BOOST_AUTO_TEST_CASE(a_filter_with_one_wrong_letter_removes_nothing_at_a_restart_until_force_does) {
  for (const auto owner : {Owner::ours, Owner::likely}) {
    Fixture f(matching({"ethernet*"}));
    f.sink().rows = {{"Ethernet0", up}, {"Ethernet4", up}, {"Ethernet8", {{"speed", "100"}}}};
    f.sink().owners = {{"Ethernet0", owner}, {"Ethernet4", owner}};
    f.turn();
    f.sink().open();
    f.snapshot({make_link(1, "Ethernet0"), make_link(2, "Ethernet4")});
    f.settle();
    BOOST_TEST(f.sink().log.empty());
    BOOST_TEST(f.engine.statistics().rows_left_alone == 2U);
    BOOST_TEST(f.recorder.count(Kind::synchronized) == 0U);
    BOOST_TEST(!f.engine.audit(Scope::all));
    f.settle();
    BOOST_TEST(f.engine.statistics().rows_left_alone == 2U);
    BOOST_TEST(!f.engine.resync(true));
    f.settle();
    BOOST_TEST(f.sink().rows.size() == (owner == Owner::ours ? 1U : 3U));  // others' rows are not removed
    BOOST_TEST(f.engine.statistics().rows_left_alone == 0U);
    BOOST_TEST(f.recorder.count(Kind::synchronized) == 1U);
  }
}

BOOST_AUTO_TEST_CASE(rows_of_another_writer_are_left_to_it_once_a_link_matches) {
  Fixture f(matching({"eth?"}));
  f.sink().rows = {{"Ethernet0", up}, {"eth1", up}};
  f.sink().owners = {{"Ethernet0", Owner::likely}, {"eth1", Owner::ours}};
  f.begin({});
  BOOST_TEST(f.engine.statistics().rows_left_alone == 2U);
  f.source.change(make_link(1, "eth0"));
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}, {"eth0", up}}));
  BOOST_TEST(f.engine.statistics().rows_left_alone == 0U);
}

BOOST_AUTO_TEST_CASE(rows_left_alone_are_never_followed_by_the_word_that_every_row_equals_the_kernel) {
  Fixture f;
  f.sink().rows = {{"Ethernet0", up}};
  f.turn();
  f.sink().open();
  f.snapshot({make_link(1, "lo")});
  f.settle();
  BOOST_TEST(f.recorder.count(Kind::rows_left_alone) == 1U);
  BOOST_TEST(f.recorder.count(Kind::synchronized) == 0U);
  BOOST_TEST(f.engine.synchronized());  // so that READY=1 does not wait for rows that are left alone
  f.source.change(make_link(7, "Ethernet4"));
  f.source.drained();
  f.settle();
  BOOST_TEST(f.recorder.count(Kind::synchronized) == 1U);
}

BOOST_AUTO_TEST_CASE(a_filter_narrowed_before_the_first_read_back_removes_the_rows_of_the_dropped_ports) {
  Fixture f;
  f.sink().rows = {{"Ethernet0", up}, {"Ethernet12", up}, {"Ethernet16", down}};
  f.snapshot({make_link(1, "Ethernet0"), make_link(2, "Ethernet12"), make_link(3, "Ethernet20")});
  f.turn();
  f.engine.set_options(matching({"Ethernet?"}));
  f.turn();
  f.sink().open();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}, {"Ethernet16", down}}));
  BOOST_TEST(f.engine.drained());
  BOOST_TEST(f.engine.statistics().pending == 0U);
}

BOOST_AUTO_TEST_CASE(a_filter_narrowed_while_a_write_is_on_its_way_removes_what_it_stores) {
  Fixture f;
  f.begin(ports(20));
  f.source.change(make_link(112, "Ethernet12", false));
  f.source.change(make_link(200, "Ethernet99"));
  f.source.drained();
  f.turn();
  f.engine.set_options(matching({"Ethernet?"}));
  f.settle();
  BOOST_TEST(f.sink().rows.size() == 10U);
}

BOOST_AUTO_TEST_CASE(a_filter_that_matches_nothing_leaves_alone_what_is_on_its_way) {
  Fixture f;
  f.begin(ports(2));
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.drained();
  f.turn();
  f.engine.set_options(matching({"ethernet*"}));
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}, {"Ethernet1", up}}));
  BOOST_TEST(f.engine.statistics().rows_left_alone == 2U);
}

BOOST_AUTO_TEST_CASE(when_all_links_vanish_the_rows_go_and_it_is_reported) {
  MonitoredFixture f;
  f.begin(ports(2));
  f.source.remove(100);
  f.source.remove(101);
  f.source.drained();
  f.settle();
  BOOST_TEST(f.sink().rows.empty());
  BOOST_REQUIRE((f.last().no_port_since.has_value()));
  // One port is back.
  f.source.change(make_link(200, "Ethernet0"));
  f.source.drained();
  f.settle();
  BOOST_TEST((!f.last().no_port_since));
  f.source.remove(200);
  f.source.drained();
  f.settle();
  BOOST_TEST((f.last().no_port_since.has_value()));
  // The operator confirms it.
  BOOST_TEST(!f.engine.resync(true));
  f.settle();
  BOOST_TEST((!f.last().no_port_since));
}

BOOST_AUTO_TEST_CASE(a_namespace_that_never_had_a_port_is_no_trouble) {
  MonitoredFixture f;
  f.begin({make_link(1, "lo")});
  BOOST_TEST((!f.last().no_port_since));
  BOOST_TEST(f.last().rows_left_alone == 0U);
}

BOOST_AUTO_TEST_CASE(before_the_ports_are_known_nothing_is_read_written_or_left_alone) {
  SynchronizerOptions options;
  options.ports_known = false;
  options.filter.configured.emplace();
  Fixture f(options);
  f.sink().rows = {{"Ethernet0", up}, {"Ethernet4", up}};
  f.sink().owners = {{"Ethernet0", Owner::ours}, {"Ethernet4", Owner::ours}};
  f.turn();
  f.sink().open();
  f.snapshot(ports(5));
  f.turn();
  BOOST_TEST(f.sink().operations.empty());
  BOOST_TEST(!f.engine.synchronized());
  options.ports_known = true;
  options.filter.configured = {"Ethernet0", "Ethernet1"};
  f.engine.set_options(options);
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}, {"Ethernet1", up}}));
  BOOST_TEST((f.sink().log == Log{"erase Ethernet4", "put Ethernet1"}));
  BOOST_TEST(f.recorder.count(Kind::rows_left_alone) == 0U);
  BOOST_TEST(f.engine.synchronized());
}

BOOST_AUTO_TEST_CASE(a_read_back_that_waits_for_the_ports_to_be_known_again_causes_no_wakeups) {
  Fixture f;
  f.begin(ports(1));
  BOOST_TEST(!f.engine.audit(Scope::all));
  f.turn();
  f.sink().answer(refused);
  SynchronizerOptions options;
  options.ports_known = false;
  f.engine.set_options(options);
  f.turn(10s);
  BOOST_TEST(f.sink().operations.empty());
  BOOST_TEST((!f.engine.deadline() || *f.engine.deadline() > f.now));
}

BOOST_AUTO_TEST_CASE(a_link_that_becomes_a_lag_is_no_port_any_more) {
  Fixture f;
  f.begin(ports(2));
  LinkState link = make_link(100, "Ethernet0");
  link.kind = "team";
  f.source.change(link);
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet1", up}}));
}
