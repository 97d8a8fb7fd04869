// SPDX-License-Identifier: Apache-2.0
// The contents and refusals of a store: read-backs, audits, refusals, reconnects.
#define BOOST_TEST_MODULE sync_engine_store
#include <boost/test/unit_test.hpp>

#include "unit/core/sync_engine_fixture.hpp"

using namespace portsync;
using namespace portsync::test;

namespace {

// Answers a read-back with two ports as they were when it was requested.
void answer_as_before(FakeSink& sink) {
  sink.observer().on_row({"Ethernet0", &stored_up});
  sink.observer().on_row({"Ethernet1", &stored_up});
  sink.observer().on_read_back({});
}

}  // namespace

BOOST_AUTO_TEST_CASE(rows_are_left_alone_until_a_link_matches_or_force) {
  for (const bool force : {false, true}) {
    Fixture f;
    f.sink().rows = {{"Ethernet0", up}, {"Ethernet4", up}};
    f.turn();
    f.sink().open();
    f.snapshot({make_link(1, "lo")});
    f.settle();
    BOOST_TEST(f.sink().rows.size() == 2U);
    BOOST_TEST(f.engine.statistics().rows_left_alone == 2U);
    BOOST_TEST(f.recorder.of(Kind::rows_left_alone).at(0).count == 2U);
    if (force) {
      BOOST_TEST(!f.engine.resync(true));
    } else {
      f.source.change(make_link(7, "Ethernet0"));
      f.source.drained();
    }
    f.settle();
    BOOST_TEST((f.sink().rows == (force ? Rows{} : Rows{{"Ethernet0", up}})));
    BOOST_TEST(f.engine.statistics().rows_left_alone == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_refused_row_is_reported_once_and_tried_again_every_retry_interval_with_its_newest_state) {
  Fixture f;
  f.begin(ports(1));
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.drained();
  f.turn();
  f.sink().answer(refused);
  f.settle();
  BOOST_TEST(f.sink().operations.empty());
  f.source.change(make_link(100, "Ethernet0", false, 9100));
  f.source.drained();
  f.settle();
  BOOST_TEST(f.sink().log.empty());  // no write before the retry, even after several changes
  for (int retry = 1; retry <= 2; ++retry) {
    f.turn(2s);
    f.sink().answer();  // the row is read first
    f.turn();
    BOOST_REQUIRE(f.sink().operations.size() == 1U);
    BOOST_TEST(f.recorder.count(Kind::row_refused) == 1U);
    if (retry == 1) f.sink().answer(refused);
    f.turn();
  }
  f.sink().answer_all();
  BOOST_TEST((f.sink().rows["Ethernet0"] == FakeSink::Fields{{"oper", "down"}, {"mtu", "9100"}}));
  BOOST_TEST(f.engine.statistics().failures == 2U);
  const auto written = f.recorder.of(Kind::row_written);
  BOOST_REQUIRE(written.size() == 1U);
  BOOST_TEST((written[0].latency > 4s));
  BOOST_TEST(written[0].count == 2U);
  BOOST_TEST(f.engine.drained());
}

BOOST_AUTO_TEST_CASE(a_row_refused_by_put_itself_is_tried_again) {
  Fixture f;
  f.begin(ports(2));
  f.sink().put_error = refused;
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.change(make_link(101, "Ethernet1", false));
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}, {"Ethernet1", down}}));
  f.turn(2s);
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}, {"Ethernet1", down}}));
}

BOOST_AUTO_TEST_CASE(a_row_refused_in_part_is_removed_whole_when_its_port_goes) {
  Fixture f;
  f.begin({});
  f.source.change(make_link(100, "Ethernet0"));
  f.source.drained();
  f.turn();
  f.sink().refuse_in_part(refused);
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", {{"oper", "up"}}}}));
  f.source.remove(100);
  f.source.drained();
  f.settle();
  f.turn(2s);
  f.settle();
  BOOST_TEST(f.sink().rows.empty());
  BOOST_TEST(f.engine.drained());
  BOOST_TEST(f.engine.statistics().pending == 0U);
  f.turn(2s);
  BOOST_TEST(f.sink().operations.empty());
}

BOOST_AUTO_TEST_CASE(a_row_refused_in_part_is_written_whole_when_its_link_is_again_as_it_was) {
  Fixture f;
  f.begin(ports(1));
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.drained();
  f.turn();
  f.sink().refuse_in_part(refused);
  BOOST_TEST((f.sink().rows["Ethernet0"] == down));
  f.source.change(make_link(100, "Ethernet0"));
  f.source.drained();
  f.settle();
  f.turn(2s);
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}}));
}

BOOST_AUTO_TEST_CASE(try_again_is_at_once_but_not_for_ever) {
  Fixture f;
  f.begin(ports(1));
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.drained();
  int asked = 0;
  for (int i = 0; i < 20; ++i) {
    f.turn();
    if (f.sink().operations.empty()) continue;
    ++asked;
    f.sink().answer(Errc::try_again);
  }
  BOOST_TEST(asked == 3);
  f.turn(2s);
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}}));
}

BOOST_AUTO_TEST_CASE(after_a_reconnect_rows_are_read_back_and_only_what_differs_is_written) {
  for (std::size_t applied = 0; applied <= 2; ++applied) {
    Fixture f;
    f.begin(ports(3));
    f.source.change(make_link(100, "Ethernet0", false));
    f.source.change(make_link(101, "Ethernet1", false));
    f.source.drained();
    f.turn();
    BOOST_REQUIRE(f.sink().operations.size() == 2U);
    f.sink().close(lost, applied);
    f.source.change(make_link(102, "Ethernet2", false));
    f.source.drained();
    f.turn();
    BOOST_TEST(f.engine.statistics().pending == 3U);
    f.sink().log.clear();
    f.sink().open();
    f.settle();
    BOOST_TEST(f.sink().log.size() == 3U - applied);
    BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}, {"Ethernet1", down}, {"Ethernet2", down}}));
    BOOST_TEST(f.recorder.count(Kind::sink_closed) == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_store_that_came_back_empty_or_with_old_rows_is_corrected) {
  Fixture f;
  f.begin(ports(3));
  f.sink().close(lost);
  f.source.remove(102);
  f.source.drained();
  f.sink().rows = {{"Ethernet0", down}, {"Ethernet2", up}, {"Ethernet9", up}};
  f.sink().open();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}, {"Ethernet1", up}}));
}

BOOST_AUTO_TEST_CASE(a_port_that_came_and_went_while_the_sink_was_away_leaves_nothing_behind) {
  Fixture f;
  f.begin(ports(1));
  f.sink().close(lost);
  for (int i = 0; i < 1000; ++i) {
    f.source.change(make_link(500 + i, "EthernetX" + std::to_string(i)));
    f.source.remove(500 + i);
    f.source.drained();
    f.turn();
  }
  BOOST_TEST(f.engine.statistics().pending == 0U);
  f.sink().open();
  f.settle();
  BOOST_TEST(f.sink().log.empty());
}

BOOST_AUTO_TEST_CASE(a_read_back_that_fails_is_tried_again_and_nothing_is_written_before) {
  Fixture f;
  f.turn();
  f.sink().open();
  f.snapshot(ports(1));
  f.turn();
  f.sink().answer(refused);
  f.turn();
  BOOST_TEST(f.sink().operations.empty());
  f.turn(2s);
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}}));
  BOOST_TEST(f.sink().reads == 2);
}

BOOST_AUTO_TEST_CASE(an_audit_repairs_and_counts_rows_that_others_deleted_or_edited) {
  Fixture f;
  f.begin(ports(4));
  f.sink().rows.erase("Ethernet0");
  f.sink().rows["Ethernet1"]["oper"] = "down";
  f.sink().rows["Ethernet2"].erase("mtu");
  f.turn(60s);
  BOOST_TEST(f.source.resyncs == 1);
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}, {"Ethernet1", up}, {"Ethernet2", up}, {"Ethernet3", up}}));
  BOOST_TEST(f.engine.statistics().drift_repaired == 3U);
  BOOST_TEST(f.recorder.of(Kind::audit_completed).at(0).count == 3U);
  f.sink().log.clear();
  f.turn(60s);
  f.settle();
  BOOST_TEST(f.sink().log.empty());
  BOOST_TEST(f.engine.statistics().drift_repaired == 3U);
  BOOST_TEST(f.engine.statistics().audits == 2U);
}

BOOST_AUTO_TEST_CASE(an_audit_finds_unknown_rows_only_when_asked_for_all) {
  Fixture f;
  f.begin(ports(1));
  f.sink().rows["Ethernet99"] = up;
  f.turn(60s);
  f.settle();
  BOOST_TEST(f.sink().rows.size() == 2U);
  BOOST_TEST(!f.engine.audit(Scope::all));
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}}));
}

BOOST_AUTO_TEST_CASE(what_is_written_while_a_read_back_is_under_way_is_not_taken_for_drift) {
  Fixture f;
  f.begin(ports(2));
  f.turn(60s);
  BOOST_REQUIRE(f.sink().operations.size() == 1U);  // the audit's read-back
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.change(make_link(300, "Ethernet30"));
  f.source.drained();
  f.turn();
  BOOST_REQUIRE(f.sink().operations.size() == 3U);  // writes do not wait for the read-back
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}, {"Ethernet1", up}, {"Ethernet30", up}}));
  BOOST_TEST(f.engine.statistics().drift_repaired == 0U);
}

BOOST_AUTO_TEST_CASE(a_read_back_answered_late_does_not_undo_what_was_written_since) {
  Fixture f;
  f.begin(ports(2));
  f.turn(60s);
  f.sink().operations.pop_front();  // the test answers this read-back, with the rows of the time of the request
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.remove(101);
  f.source.drained();
  f.turn();
  f.sink().answer_all();
  answer_as_before(f.sink());
  f.sink().log.clear();
  f.settle();
  BOOST_TEST(f.sink().log.empty());
  BOOST_TEST(f.engine.statistics().drift_repaired == 0U);
}

BOOST_AUTO_TEST_CASE(a_row_removed_while_all_rows_are_read_is_not_removed_again) {
  Fixture f;
  f.begin(ports(2));
  BOOST_REQUIRE(!f.engine.audit(Scope::all));
  f.turn();
  BOOST_REQUIRE(f.sink().operations.size() == 1U);
  f.sink().operations.pop_front();  // the test answers this read-back, with the rows of the time of the request
  f.source.remove(101);
  f.source.drained();
  f.turn();
  f.sink().answer_all();
  BOOST_TEST((f.sink().log == Log{"erase Ethernet1"}));
  answer_as_before(f.sink());
  f.sink().log.clear();
  f.settle();
  BOOST_TEST(f.sink().log.empty());
}

BOOST_AUTO_TEST_CASE(a_row_on_its_way_when_the_audit_began_is_not_taken_for_missing) {
  Fixture f;
  f.begin(ports(1));
  f.source.change(make_link(300, "Ethernet30"));
  f.source.drained();
  f.turn();
  f.turn(60s);  // requests the known rows, and not this one
  f.settle();
  BOOST_TEST(f.engine.statistics().drift_repaired == 0U);
  BOOST_TEST(f.sink().log.size() == 1U);
  f.source.remove(300);
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}}));
}

BOOST_AUTO_TEST_CASE(no_audit_when_its_interval_is_zero) {
  SynchronizerOptions options;
  options.audit_interval = 0ms;
  Fixture f(options);
  f.begin(ports(1));
  f.turn(24h);
  BOOST_TEST(f.source.resyncs == 0);
  BOOST_TEST(f.sink().reads == 1);
  BOOST_TEST((!f.engine.deadline()));
}

BOOST_AUTO_TEST_CASE(another_audit_interval_counts_from_when_it_was_set) {
  SynchronizerOptions options;
  options.audit_interval = 0ms;
  Fixture f(options);
  f.begin(ports(1));
  options.audit_interval = 5s;
  f.engine.set_options(options);
  f.turn(4s);
  BOOST_TEST(f.source.resyncs == 0);
  f.turn(1s);
  BOOST_TEST(f.source.resyncs == 1);
  options.audit_interval = 0ms;
  f.engine.set_options(options);
  f.settle();
  f.turn(24h);
  BOOST_TEST(f.source.resyncs == 1);
  BOOST_TEST(f.sink().log.empty());  // the same filter: no new comparison
}

BOOST_AUTO_TEST_CASE(a_write_only_sink_gets_everything_on_open_and_removals_of_what_it_was_sent) {
  Fixture f;
  f.sink().write_only = true;
  f.begin(ports(2));
  BOOST_TEST(f.engine.synchronized());
  BOOST_TEST(f.sink().rows.size() == 2U);
  f.sink().close(lost);
  f.source.remove(100);
  f.source.drained();
  f.sink().open();
  f.settle();
  BOOST_TEST((f.sink().log == Log{"erase Ethernet0", "put Ethernet1"}));
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet1", up}}));
}

BOOST_AUTO_TEST_CASE(a_stale_row_whose_link_came_and_went_during_the_read_back_is_removed) {
  Fixture f;
  f.sink().rows["Ethernet4"] = up;
  f.turn();
  f.sink().open();
  f.snapshot({make_link(1, "Ethernet0")});
  f.turn();
  f.sink().operations.clear();  // the test answers this read-back
  f.sink().observer().on_row({"Ethernet4", &stored_up});
  f.source.change(make_link(2, "Ethernet4"));
  f.sink().observer().on_read_back({});
  f.source.remove(2);
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}}));
}

BOOST_AUTO_TEST_CASE(a_port_in_the_slot_of_another_is_not_compared_with_the_other_ones_row) {
  Fixture f;
  f.begin({make_link(1, "Ethernet0"), make_link(2, "Ethernet4")});
  f.source.remove(2);
  f.source.drained();
  f.settle();
  f.sink().rows["Ethernet8"] = down;
  BOOST_TEST(!f.engine.audit(Scope::all));
  f.turn();
  f.sink().answer();  // the stale row now has the former slot of Ethernet4, which was up
  f.source.change(make_link(3, "Ethernet8"));
  f.source.drained();
  f.turn();
  BOOST_REQUIRE(f.sink().operations.size() == 1U);
  BOOST_TEST((f.sink().operations.front().stored == down));
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}, {"Ethernet8", up}}));
}

BOOST_AUTO_TEST_CASE(a_row_read_while_its_link_was_gone_is_what_the_link_is_compared_with_when_it_comes_back) {
  Fixture f;
  f.begin(ports(1));
  f.source.change(make_link(100, "Ethernet0", true, 9100));
  f.source.drained();
  f.turn();
  f.sink().close(lost, 1);  // the write was stored, but its result was lost
  f.source.remove(100);
  f.sink().open();
  f.turn();
  f.sink().answer();  // the read-back
  f.source.change(make_link(100, "Ethernet0"));
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}}));
}

BOOST_AUTO_TEST_CASE(a_stale_row_whose_link_comes_before_it_is_removed_is_not_written_again) {
  Fixture f;
  f.sink().rows["Ethernet4"] = up;
  f.turn();
  f.sink().open();
  f.source.snapshot_begin(Cause::initial);
  f.source.change(make_link(1, "Ethernet0"), Cause::initial);
  f.source.snapshot_end(Cause::initial);
  f.turn();
  f.sink().answer();  // the read-back
  f.source.change(make_link(2, "Ethernet4"));
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().log == Log{"put Ethernet0"}));
}

BOOST_AUTO_TEST_CASE(a_wider_filter_finds_the_stale_rows_of_the_names_that_match_only_now) {
  Fixture f;
  f.sink().rows["eth7"] = up;
  f.begin(ports(1));
  SynchronizerOptions options;
  options.filter.match = {"Ethernet*", "eth*"};
  f.engine.set_options(options);
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}}));
}

BOOST_AUTO_TEST_CASE(force_counts_once) {
  Fixture f;
  f.sink().rows = {{"Ethernet0", up}};
  f.turn();
  f.sink().open();
  f.snapshot({make_link(1, "lo")});
  f.settle();
  BOOST_TEST(!f.engine.resync(true));
  f.settle();
  BOOST_TEST(f.sink().rows.empty());
  f.sink().close(lost);
  f.sink().rows = {{"Ethernet0", up}};  // as after the restore of a dump
  f.sink().open();
  f.settle();
  BOOST_TEST(f.sink().rows.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_row_left_alone_that_is_right_is_not_written_when_its_link_comes) {
  Fixture f;
  f.sink().rows = {{"Ethernet0", up}, {"Ethernet4", up}};
  f.begin({});
  BOOST_TEST(f.engine.statistics().rows_left_alone == 2U);
  f.source.change(make_link(1, "Ethernet0"));
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().log == Log{"erase Ethernet4"}));
  BOOST_TEST(f.engine.statistics().rows_left_alone == 0U);
}

BOOST_AUTO_TEST_CASE(rows_brought_back_under_a_living_connection_go_with_every_nth_audit) {
  for (const std::uint32_t every : {0U, 3U}) {
    SynchronizerOptions options;
    options.full_audit_every = every;
    Fixture f(options);
    f.begin(ports(1));
    f.sink().rows["Ethernet99"] = up;
    for (int audit = 1; audit <= 6; ++audit) {
      f.turn(60s);
      BOOST_REQUIRE(f.sink().operations.size() == 1U);
      BOOST_TEST((f.sink().operations.front().scope == Scope::all) == (every != 0 && audit % 3 == 0));
      f.settle();
      BOOST_TEST(f.sink().rows.size() == (every != 0 && audit >= 3 ? 1U : 2U));
    }
    options.full_audit_every = 1;
    f.engine.set_options(options);  // takes effect at once
    f.turn(60s);
    f.settle();
    BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}}));
  }
}

BOOST_AUTO_TEST_CASE(a_refused_write_followed_by_the_old_value_writes_nothing) {
  Fixture f;
  f.begin(ports(2));
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.change(make_link(101, "Ethernet1", false));
  f.source.drained();
  f.turn();
  f.sink().answer(refused);
  f.sink().answer(refused);
  f.source.change(make_link(100, "Ethernet0"));
  f.source.drained();
  f.settle();
  BOOST_TEST(!f.engine.drained());
  f.turn(2s);
  f.settle();
  BOOST_TEST((f.sink().log == Log{"put Ethernet1"}));
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}, {"Ethernet1", down}}));
  BOOST_TEST(f.engine.drained());
  BOOST_TEST(f.engine.port("Ethernet0", f.now)->in_sync);
}

BOOST_AUTO_TEST_CASE(a_row_to_be_read_before_it_is_written_again_is_read_again_when_that_fails) {
  Fixture f;
  f.begin(ports(1));
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.drained();
  f.turn();
  f.sink().refuse_in_part(refused);
  f.source.change(make_link(100, "Ethernet0"));
  f.source.drained();
  f.turn(2s);
  f.sink().answer(refused);  // the read-back fails
  f.turn();
  BOOST_TEST(!f.engine.drained());
  for (int i = 0; i < 2; ++i) {
    f.turn(2s);
    f.settle();
  }
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}}));
  BOOST_TEST(f.engine.drained());
}

BOOST_AUTO_TEST_CASE(a_refused_row_is_not_stored_and_neither_is_one_of_a_sink_that_is_closed) {
  Fixture f;
  BOOST_TEST(!f.engine.all_stored());
  f.begin(ports(1));
  BOOST_TEST(f.engine.all_stored());
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.drained();
  f.turn();
  f.sink().answer(refused);
  f.turn();
  BOOST_TEST(!f.engine.drained());
  BOOST_TEST(!f.engine.all_stored());
  f.engine.stop();
  BOOST_TEST(!f.engine.drained());
  f.turn(2s);
  f.settle();
  BOOST_TEST(f.engine.all_stored());
  f.sink().close(lost);
  BOOST_TEST(f.engine.drained());
  BOOST_TEST(!f.engine.all_stored());
}
