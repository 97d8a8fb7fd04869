// SPDX-License-Identifier: Apache-2.0
// Links and rows: what the engine writes when links change, and in which order.
#define BOOST_TEST_MODULE sync_engine
#include <boost/test/unit_test.hpp>
#include <new>

#include "unit/core/sync_engine_fixture.hpp"

using namespace portsync;
using namespace portsync::test;

BOOST_AUTO_TEST_CASE(the_first_snapshot_is_stored_and_then_all_is_synchronized) {
  Fixture f;
  f.turn();
  f.sink().open();
  f.turn();
  BOOST_TEST(f.sink().operations.empty());  // nothing is read or written before the snapshot is complete
  f.snapshot({make_link(7, "Ethernet0"), make_link(8, "eth0"), make_link(9, "Ethernet4", false)});
  f.turn();
  BOOST_TEST(f.sink().operations.size() == 1U);  // the store is read first
  BOOST_TEST(!f.engine.synchronized());
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}, {"Ethernet4", down}}));
  BOOST_TEST(f.engine.synchronized());
  BOOST_TEST(f.engine.drained());
  BOOST_TEST(f.recorder.count(Kind::synchronized) == 1U);
  BOOST_TEST(f.engine.statistics().ports == 2U);
  BOOST_TEST(f.engine.statistics().writes == 2U);
}

BOOST_AUTO_TEST_CASE(rows_that_are_right_already_are_not_written) {
  Fixture f;
  f.sink().rows = {{"Ethernet0", up}, {"Ethernet1", {{"oper", "up"}, {"mtu", "9100"}}}};
  f.turn();
  f.sink().open();
  f.snapshot(ports(3));
  f.settle();
  BOOST_TEST((f.sink().log == Log{"put Ethernet1", "put Ethernet2"}));
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}, {"Ethernet1", up}, {"Ethernet2", up}}));
}

BOOST_AUTO_TEST_CASE(a_change_that_the_projection_leaves_out_costs_nothing) {
  Fixture f;
  f.begin(ports(1));
  LinkState link = make_link(100, "Ethernet0");
  link.address.size = 6;
  f.source.change(link);
  f.source.drained();
  f.settle();
  BOOST_TEST(f.sink().log.empty());
  BOOST_TEST(f.engine.statistics().unchanged == 1U);
}

BOOST_AUTO_TEST_CASE(changes_while_a_batch_is_on_its_way_are_one_next_batch) {
  Fixture f;
  f.begin(ports(2));
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.drained();
  f.turn();
  BOOST_TEST(f.sink().operations.size() == 1U);
  for (int i = 0; i < 10; ++i) {
    f.source.change(make_link(100, "Ethernet0", i % 2 == 0));
    f.source.change(make_link(101, "Ethernet1", i % 2 == 0, 9100));
    f.source.drained();
    f.turn();
  }
  BOOST_TEST(f.sink().operations.size() == 1U);
  f.settle();
  BOOST_TEST((f.sink().log == Log{"put Ethernet0", "put Ethernet1"}));
  BOOST_TEST((f.sink().rows["Ethernet1"] == FakeSink::Fields{{"oper", "down"}, {"mtu", "9100"}}));
  const auto written = f.recorder.of(Kind::row_written);
  BOOST_REQUIRE(written.size() == 2U);
  BOOST_TEST(written[0].count == 1U);
  BOOST_TEST(written[1].count == 10U);  // the number of changes that the row stands for
}

BOOST_AUTO_TEST_CASE(a_row_that_was_written_or_removed_is_reported_with_what_it_was) {
  Fixture f;
  f.begin(ports(1));
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.change(make_link(101, "Ethernet1", true));
  f.source.drained();
  f.settle();
  const auto written = f.recorder.of(Kind::row_written);
  BOOST_REQUIRE(written.size() == 2U);
  BOOST_TEST((written[0].before == std::vector<Field>{{"oper", "up"}, {"mtu", "1500"}}));
  BOOST_TEST((written[0].record == std::vector<Field>{{"oper", "down"}, {"mtu", "1500"}}));
  BOOST_TEST(written[1].before.empty());  // there was no row
  f.source.remove(100);
  f.source.drained();
  f.settle();
  const auto erased = f.recorder.of(Kind::row_erased);
  BOOST_REQUIRE(erased.size() == 1U);
  BOOST_TEST((erased[0].before == std::vector<Field>{{"oper", "down"}, {"mtu", "1500"}}));
  BOOST_TEST(erased[0].record.empty());
}

BOOST_AUTO_TEST_CASE(the_ports_are_listed_with_master_flaps_and_whether_every_sink_has_them) {
  Fixture f({}, 2);
  LinkState bridge = make_link(5, "br0");
  LinkState member = make_link(100, "Ethernet0");
  member.master = 5;
  member.carrier_down_count = 3;
  f.begin({bridge, member, make_link(101, "Ethernet1")});
  BOOST_TEST(f.engine.ports(f.now).size() == 2U);
  BOOST_TEST(!f.engine.port("br0", f.now).has_value());
  BOOST_TEST(!f.engine.port("Ethernet9", f.now).has_value());
  const auto before = f.engine.port("Ethernet0", f.now);
  BOOST_REQUIRE(before.has_value());
  BOOST_TEST(before->name == "Ethernet0");
  BOOST_TEST(before->master == "br0");
  BOOST_TEST(before->in_sync);
  BOOST_TEST(before->link->ifindex == 100);
  BOOST_TEST(before->flaps.total == 0U);

  member.carrier_down_count = 5;
  member.mtu = 9100;
  f.source.change(member);
  f.source.drained();
  f.turn();
  f.sink(0).answer_all();
  BOOST_TEST(!f.engine.port("Ethernet0", f.now)->in_sync);  // the other sink has not reported a result
  BOOST_TEST(f.engine.port("Ethernet1", f.now)->in_sync);
  f.settle();
  BOOST_TEST(f.engine.port("Ethernet0", f.now)->in_sync);
  BOOST_TEST(f.engine.port("Ethernet0", f.now)->flaps.total == 2U);
  f.sink(1).close(lost);
  BOOST_TEST(!f.engine.port("Ethernet1", f.now)->in_sync);

  f.source.remove(100);
  f.source.drained();
  f.settle();
  BOOST_TEST(!f.engine.port("Ethernet0", f.now).has_value());
  BOOST_TEST(f.engine.ports(f.now).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_batch_is_held_while_the_source_never_drains_but_not_for_longer_than_max_hold) {
  Fixture f;
  f.begin(ports(1));
  f.source.change(make_link(100, "Ethernet0", false));
  f.turn();
  BOOST_TEST(f.sink().operations.empty());
  BOOST_REQUIRE(f.engine.deadline().has_value());
  BOOST_TEST((*f.engine.deadline() <= f.now + 5ms));
  f.turn(4ms);
  BOOST_TEST(f.sink().operations.empty());
  f.turn(1ms);
  BOOST_TEST(f.sink().operations.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_rename_moves_the_row_and_removals_come_first) {
  Fixture f;
  f.begin(ports(2));
  f.source.change(make_link(100, "Ethernet8"));
  f.source.change(make_link(101, "Ethernet1", false));
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().log == Log{"erase Ethernet0", "put Ethernet8", "put Ethernet1"}));
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet1", down}, {"Ethernet8", up}}));
}

BOOST_AUTO_TEST_CASE(a_swap_of_names_leaves_both_rows_right) {
  Fixture f;
  f.begin({make_link(100, "Ethernet0", true), make_link(101, "Ethernet4", false)});
  f.source.change(make_link(100, "tmp"));
  f.source.change(make_link(101, "Ethernet0", false));
  f.source.change(make_link(100, "Ethernet4", true));
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}, {"Ethernet4", up}}));
  BOOST_TEST((f.sink().log == Log{"put Ethernet0", "put Ethernet4"}));
}

BOOST_AUTO_TEST_CASE(of_two_links_that_claim_one_name_the_newest_has_it) {
  Fixture f;
  f.begin({make_link(100, "Ethernet0", true)});
  // The rename of 100 was lost, and 101 took its name. The snapshot reports 101 first.
  f.source.change(make_link(101, "Ethernet0", false), Cause::resync);
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}}));
  f.source.change(make_link(100, "Ethernet4", true), Cause::resync);
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}, {"Ethernet4", up}}));
  f.source.remove(100);
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}}));
}

BOOST_AUTO_TEST_CASE(a_link_that_another_took_the_name_from_gets_its_port_back_with_the_next_snapshot) {
  Fixture f;
  f.begin({make_link(1, "Ethernet0"), make_link(2, "Ethernet4")});
  // The kernel did "1 to tmp, 2 to Ethernet0, 2 to Ethernet4, 1 to Ethernet0", and only the messages about 2 arrive.
  // The snapshot finds link 1 as it was known, so the source does not report it.
  f.source.change(make_link(2, "Ethernet0"));
  f.source.drained();
  f.settle();
  f.source.change(make_link(2, "Ethernet4"));
  f.source.drained();
  f.settle();
  f.source.snapshot_begin(Cause::resync);
  f.source.snapshot_end(Cause::resync);
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}, {"Ethernet4", up}}));
}

BOOST_AUTO_TEST_CASE(a_link_that_another_took_the_name_from_gets_its_port_back_with_its_next_change) {
  Fixture f;
  f.begin({make_link(1, "Ethernet0")});
  f.source.change(make_link(2, "Ethernet0"));
  f.source.drained();
  f.settle();
  f.source.remove(2);
  f.source.drained();
  f.settle();
  f.source.change(make_link(1, "Ethernet0", false));
  f.source.drained();
  f.settle();
  f.source.change(make_link(5, "Ethernet20"));
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}, {"Ethernet20", up}}));
  BOOST_TEST(f.engine.statistics().ports == 2U);
}

BOOST_AUTO_TEST_CASE(deleted_and_made_again_within_a_batch_costs_nothing_unless_replacing_is_asked_for) {
  for (const bool replace : {false, true}) {
    SynchronizerOptions options;
    options.replace_on_new_ifindex = replace;
    Fixture f(options);
    f.begin(ports(1));
    f.source.remove(100);
    f.source.change(make_link(200, "Ethernet0"));
    f.source.drained();
    f.settle();
    BOOST_TEST((f.sink().log == (replace ? Log{"erase Ethernet0", "put Ethernet0"} : Log{})));
    BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}}));
    f.source.change(make_link(200, "Ethernet0", false));
    f.source.drained();
    f.settle();
    BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}}));
    BOOST_TEST(f.sink().log.back() == "put Ethernet0");
  }
}

BOOST_AUTO_TEST_CASE(a_replacement_goes_through_a_sink_with_room_for_one_row) {
  SynchronizerOptions options;
  options.replace_on_new_ifindex = true;
  for (const bool looks_the_same : {false, true}) {
    Fixture f(options);
    f.sink().capacity = 1;
    f.begin(ports(3));
    for (int i = 0; i < 3; ++i) {
      f.source.remove(100 + i);
      f.source.change(make_link(200 + i, "Ethernet" + std::to_string(i), looks_the_same));
    }
    f.source.drained();
    f.settle();
    const auto& row = looks_the_same ? up : down;
    BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", row}, {"Ethernet1", row}, {"Ethernet2", row}}));
    BOOST_TEST(f.sink().log.size() == 6U);
  }
}

BOOST_AUTO_TEST_CASE(a_replacement_whose_first_put_was_refused_is_erased_once) {
  SynchronizerOptions options;
  options.replace_on_new_ifindex = true;
  Fixture f(options);
  f.begin(ports(1));
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.drained();
  f.turn();
  f.source.remove(100);
  f.source.change(make_link(200, "Ethernet0"));
  f.source.drained();
  f.turn();
  f.sink().answer(refused);
  f.turn(2s);
  BOOST_TEST(f.sink().operations.size() == 1U);
  f.settle();
  BOOST_TEST((f.sink().log == Log{"erase Ethernet0", "put Ethernet0"}));
  BOOST_TEST(f.engine.drained());
}

BOOST_AUTO_TEST_CASE(a_sub_interface_and_foreign_names_are_never_touched) {
  Fixture f;
  f.sink().rows = {{"Ethernet0.10", up}, {"PortChannel1", up}, {"Ethernet4", up}, {"Ethernet8", {{"speed", "100"}}}};
  f.turn();
  f.sink().open();
  LinkState vlan = make_link(8, "Ethernet0.20");
  vlan.kind = "vlan";
  f.snapshot({make_link(7, "Ethernet0"), vlan});
  f.settle();
  BOOST_TEST((f.sink().rows ==
              Rows{{"Ethernet0", up}, {"Ethernet0.10", up}, {"PortChannel1", up}, {"Ethernet8", {{"speed", "100"}}}}));
}

BOOST_AUTO_TEST_CASE(foreign_fields_of_a_removed_row_stay) {
  Fixture f;
  f.begin(ports(1));
  f.sink().rows["Ethernet0"]["speed"] = "100000";
  f.source.remove(100);
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", {{"speed", "100000"}}}}));
}

BOOST_AUTO_TEST_CASE(a_queue_over_its_bound_becomes_compare_all_and_asks_for_no_snapshot) {
  SynchronizerOptions options;
  options.max_event_queue = 10;
  Fixture f(options);
  f.begin(ports(100));
  for (int i = 0; i < 100; ++i) f.source.change(make_link(100 + i, "Ethernet" + std::to_string(i), false));
  f.source.drained();
  f.settle();
  BOOST_TEST(f.sink().log.size() == 100U);
  BOOST_TEST(f.engine.statistics().queue_collapses == 1U);
  BOOST_TEST(f.source.resyncs == 0);
  for (const auto& [port, fields] : f.sink().rows) BOOST_TEST((fields == down), port);
}

BOOST_AUTO_TEST_CASE(more_rows_than_room_go_in_several_batches) {
  Fixture f;
  f.sink().capacity = 7;
  f.begin(ports(100));
  BOOST_TEST(f.sink().rows.size() == 100U);
  for (int i = 0; i < 100; ++i) f.source.remove(100 + i);
  f.source.drained();
  f.settle();
  BOOST_TEST(f.sink().rows.empty());
  BOOST_TEST(f.engine.drained());
}

BOOST_AUTO_TEST_CASE(a_slow_a_dead_and_a_failing_sink_do_not_delay_the_others) {
  Fixture f({}, 4);
  f.turn();
  for (int i = 0; i < 3; ++i) f.sink(static_cast<std::size_t>(i)).open();  // the fourth never opens
  f.snapshot(ports(2));
  for (int i = 0; i < 5; ++i) {
    f.turn();
    f.sink(0).answer_all();
    while (!f.sink(2).operations.empty()) {
      const bool read = f.sink(2).operations.front().revision == 0;
      f.sink(2).answer(read ? std::error_code{} : refused);
    }
  }
  BOOST_TEST((f.sink(0).rows == Rows{{"Ethernet0", up}, {"Ethernet1", up}}));
  BOOST_TEST(f.sink(1).operations.size() == 1U);
  BOOST_TEST(f.sink(2).rows.empty());
  BOOST_TEST(!f.engine.synchronized());
  BOOST_TEST(!f.engine.drained());
}

BOOST_AUTO_TEST_CASE(a_filter_put_in_later_removes_and_adds) {
  Fixture f;
  f.begin({make_link(7, "Ethernet0"), make_link(8, "eth0")});
  SynchronizerOptions options;
  options.filter.match = {"eth*"};
  f.engine.set_options(options);
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"eth0", up}}));
}

BOOST_AUTO_TEST_CASE(after_stop_links_are_not_followed_and_what_waits_is_written) {
  Fixture f;
  f.begin(ports(1));
  f.source.change(make_link(100, "Ethernet0", false));  // no drained event
  f.engine.stop();
  f.source.change(make_link(100, "Ethernet0", true));
  BOOST_TEST(!f.engine.drained());
  f.settle();
  BOOST_TEST(f.engine.drained());
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}}));
}

// The engine keeps no copy of a lasting link. But after stop() it receives no event of that link's end.
BOOST_AUTO_TEST_CASE(after_stop_a_link_that_lasted_is_as_it_was) {
  Fixture f;
  f.source.lasting = true;
  f.begin({make_link(7, "Ethernet0"), make_link(8, "Ethernet4")});
  f.source.change(make_link(7, "Ethernet0", false));
  f.source.change(make_link(8, "Ethernet4", false));
  f.engine.stop();
  f.source.change(make_link(7, "Ethernet0", true));
  f.source.remove(8);
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}, {"Ethernet4", down}}));
}

BOOST_AUTO_TEST_CASE(stop_before_the_first_snapshot_has_nothing_to_wait_for) {
  Fixture f;
  f.turn();
  f.sink().open();
  f.turn();
  BOOST_TEST(!f.engine.drained());
  f.engine.stop();
  BOOST_TEST(f.engine.drained());
}

BOOST_AUTO_TEST_CASE(an_exception_of_a_projection_loses_no_row) {
  bool fail = false;
  FakeSource source;
  FakeSink sink;
  core::SyncEngine engine(source, {});
  engine.add_sink(
      sink,
      [&fail](const LinkState& link, PortRecord& record) {
        if (fail && link.name == "Ethernet3") throw std::bad_alloc();
        test_projection()(link, record);
      },
      "store");
  TimePoint now{1h};
  const auto turn = [&] {
    engine.set_now(now += 1ms);
    engine.run();
  };
  BOOST_REQUIRE(!engine.start(now));
  sink.open();
  for (const LinkState& link : ports(6)) source.change(link, Cause::initial);
  source.snapshot_end(Cause::initial);
  source.drained();
  turn();
  sink.answer_all();
  fail = true;
  BOOST_CHECK_THROW(turn(), std::bad_alloc);
  BOOST_TEST(sink.operations.size() == 3U);
  BOOST_TEST(sink.operations.front().flushed);
  fail = false;
  for (int i = 0; i < 5; ++i) {
    sink.answer_all();
    turn();
  }
  BOOST_TEST(sink.rows.size() == 6U);
  BOOST_TEST(engine.drained());
}

BOOST_AUTO_TEST_CASE(a_listener_may_change_the_filter) {
  SynchronizerOptions options;
  options.max_event_queue = 2;
  Fixture f(options);
  f.begin(ports(8));
  f.engine.set_listener([&f, options](const SyncEvent& event) mutable {
    options.filter.match = {event.kind == Kind::row_written ? "E*" : "Ether*"};
    f.engine.set_options(options);
    if (event.record != nullptr) BOOST_TEST((event.record->port == event.port));
  });
  for (auto& [port, fields] : f.sink().rows) fields["oper"] = "down";
  for (int i = 0; i < 40; ++i) f.source.change(make_link(500 + i, "EthernetX" + std::to_string(i)));
  BOOST_TEST(!f.engine.audit(Scope::all));
  f.source.drained();
  for (int i = 0; i < 20; ++i) {
    f.turn();
    f.sink().answer_all();
  }
  f.engine.set_listener({});
  f.settle();
  BOOST_TEST(f.sink().rows.size() == 48U);
}

BOOST_AUTO_TEST_CASE(an_answer_to_something_else_is_ignored) {
  Fixture f;
  f.begin(ports(1));
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.drained();
  f.turn();
  StateSink::Observer& observer = f.sink().observer();
  observer.on_result("Ethernet0", 999'999, {});
  observer.on_result("Ethernet77", 1, {});
  observer.on_result("Ethernet0", 0, {});
  observer.on_read_back({});
  BOOST_TEST(!f.engine.drained());
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}}));
}

BOOST_AUTO_TEST_CASE(starting_twice_and_a_source_that_cannot_start_are_errors) {
  Fixture f;
  BOOST_TEST((f.engine.start(f.now) == Errc::already_started));
  FakeSource broken;
  broken.start_error = refused;
  core::SyncEngine engine(broken, {});
  BOOST_TEST((engine.start(f.now) == refused));
}
