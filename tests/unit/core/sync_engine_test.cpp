// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE sync_engine
#include "core/sync_engine.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "support/cpp/fakes.hpp"
#include "support/cpp/recorder.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;
using Kind = SyncEvent::Kind;
using Rows = std::map<std::string, FakeSink::Fields>;

namespace {

const FakeSink::Fields up{{"oper", "up"}, {"mtu", "1500"}};
const FakeSink::Fields down{{"oper", "down"}, {"mtu", "1500"}};
const std::error_code refused{ENOSPC, std::system_category()};
const std::error_code lost{ECONNRESET, std::system_category()};

struct Fixture {
  explicit Fixture(SynchronizerOptions options = {}, std::size_t sink_count = 1) : engine(source, std::move(options)) {
    for (std::size_t i = 0; i < sink_count; ++i) {
      sinks.push_back(std::make_unique<FakeSink>());
      engine.add_sink(*sinks.back(), test_projection(), "sink" + std::to_string(i));
    }
    engine.set_listener(std::ref(recorder));
    BOOST_REQUIRE(!engine.start(now));
  }

  FakeSink& sink(std::size_t i = 0) { return *sinks[i]; }

  void advance(std::chrono::nanoseconds time) {
    now += time;
    source.now = now;
    engine.set_now(now);
  }
  // A round of the loop in which nothing is ready.
  void turn(std::chrono::nanoseconds time = 1us) {
    advance(time);
    engine.run();
  }
  void snapshot(const std::vector<LinkState>& links) {
    source.snapshot_begin(Cause::initial);
    for (const LinkState& link : links) source.change(link, Cause::initial);
    source.snapshot_end(Cause::initial);
    source.drained();
  }
  // Everything the sinks are asked is answered, until they are asked no more.
  void settle() {
    for (int i = 0; i < 100; ++i) {
      turn();
      bool idle = true;
      for (const auto& each : sinks) {
        idle = idle && each->operations.empty();
        if (each->is_open()) each->answer_all();
      }
      if (idle) return;
    }
    BOOST_FAIL("the engine does not come to rest");
  }
  // From nothing to a store that equals the links.
  void begin(const std::vector<LinkState>& links) {
    turn();
    for (const auto& each : sinks) each->open();
    snapshot(links);
    settle();
    for (const auto& each : sinks) each->log.clear();
    recorder.events.clear();
  }

  TimePoint now{1h};
  FakeSource source;
  core::SyncEngine engine;
  std::vector<std::unique_ptr<FakeSink>> sinks;
  Recorder recorder;
};

std::vector<LinkState> ports(int count) {
  std::vector<LinkState> links;
  for (int i = 0; i < count; ++i) links.push_back(make_link(100 + i, "Ethernet" + std::to_string(i)));
  return links;
}

using Log = std::vector<std::string>;

}  // namespace

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
  BOOST_TEST(written[1].count == 10U);  // what the row answers for
}

BOOST_AUTO_TEST_CASE(a_row_that_was_written_or_removed_is_told_with_what_it_was) {
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
  BOOST_TEST(written[1].before.empty());  // it was not there
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
  BOOST_TEST(!f.engine.port("Ethernet0", f.now)->in_sync);  // the other sink has not answered
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
  // The rename of 100 was lost; 101 took its name. The snapshot tells 101 first.
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
  // Of "1 to tmp, 2 to Ethernet0, 2 to Ethernet4, 1 to Ethernet0" only what concerns 2 is heard. The snapshot finds
  // link 1 as it was known, so nothing is told of it.
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

BOOST_AUTO_TEST_CASE(a_refused_row_is_told_once_and_tried_again_every_retry_interval_with_its_newest_state) {
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
  BOOST_TEST(f.sink().log.empty());  // not before the retry, however often it changes
  f.turn(2s);
  BOOST_REQUIRE(f.sink().operations.size() == 1U);
  f.sink().answer(refused);
  f.turn();
  BOOST_TEST(f.recorder.count(Kind::row_refused) == 1U);
  f.turn(2s);
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

BOOST_AUTO_TEST_CASE(a_store_that_came_back_empty_or_with_old_rows_is_mended) {
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

BOOST_AUTO_TEST_CASE(an_audit_finds_rows_that_nobody_knows_of_only_when_asked_for_all) {
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
  BOOST_REQUIRE(f.sink().operations.size() == 1U);  // the audit's read
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.change(make_link(300, "Ethernet30"));
  f.source.drained();
  f.turn();
  BOOST_REQUIRE(f.sink().operations.size() == 3U);  // writes do not wait for it
  f.settle();
  BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", down}, {"Ethernet1", up}, {"Ethernet30", up}}));
  BOOST_TEST(f.engine.statistics().drift_repaired == 0U);
}

BOOST_AUTO_TEST_CASE(a_read_back_answered_late_does_not_undo_what_was_written_since) {
  Fixture f;
  f.begin(ports(2));
  f.turn(60s);
  f.sink().operations.pop_front();  // the read: answered by hand, with what was there when it was asked for
  f.source.change(make_link(100, "Ethernet0", false));
  f.source.remove(101);
  f.source.drained();
  f.turn();
  f.sink().answer_all();
  const std::vector<std::pair<std::string_view, std::string_view>> old{{"oper", "up"}, {"mtu", "1500"}};
  f.sink().observer().on_row({"Ethernet0", &old});
  f.sink().observer().on_row({"Ethernet1", &old});
  f.sink().observer().on_read_back({});
  f.sink().log.clear();
  f.settle();
  BOOST_TEST(f.sink().log.empty());
  BOOST_TEST(f.engine.statistics().drift_repaired == 0U);
}

BOOST_AUTO_TEST_CASE(a_row_on_its_way_when_the_audit_began_is_not_taken_for_missing) {
  Fixture f;
  f.begin(ports(1));
  f.source.change(make_link(300, "Ethernet30"));
  f.source.drained();
  f.turn();
  f.turn(60s);  // asks for the known rows: not for this one
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
  BOOST_TEST(f.sink().log.empty());  // the same filter: nothing was compared anew
}

BOOST_AUTO_TEST_CASE(a_write_only_sink_gets_everything_on_open_and_removals_of_what_it_had_been_told) {
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

BOOST_AUTO_TEST_CASE(a_stale_row_whose_link_came_and_went_during_the_read_back_is_removed) {
  Fixture f;
  f.sink().rows["Ethernet4"] = up;
  f.turn();
  f.sink().open();
  f.snapshot({make_link(1, "Ethernet0")});
  f.turn();
  f.sink().operations.clear();  // the read: answered by hand
  const std::vector<std::pair<std::string_view, std::string_view>> fields{{"oper", "up"}, {"mtu", "1500"}};
  f.sink().observer().on_row({"Ethernet4", &fields});
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
  f.sink().answer();  // the stale row now has the slot of Ethernet4, which was up
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
  f.sink().close(lost, 1);  // the write was stored, which nobody was told
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
  f.sink().rows = {{"Ethernet0", up}};  // a restored dump, say
  f.sink().open();
  f.settle();
  BOOST_TEST(f.sink().rows.size() == 1U);
}

// The engine has no copy of a link that lasts; but after stop() it does not hear of its end.
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

// With a monitor, and no audits: what wakes the engine are reports.
struct HealthFixture : Fixture {
  static SynchronizerOptions options() {
    SynchronizerOptions options;
    options.audit_interval = 0ms;
    return options;
  }
  HealthFixture() : Fixture(options()) { engine.set_health_monitor(monitor); }

  [[nodiscard]] const HealthReport& last() const { return monitor.reports.back(); }
  [[nodiscard]] const SinkReport& last_sink() const { return last().sinks.at(0); }
  [[nodiscard]] std::size_t count() const { return monitor.reports.size(); }
  void write(int number, bool is_up) {
    source.change(make_link(100 + number, "Ethernet" + std::to_string(number), is_up));
    source.drained();
    settle();
  }
  // Does what the engine wants done, and nothing else, until it wants no more; how often that was.
  int wake_ups() {
    int count = 0;
    while (engine.deadline()) {
      BOOST_REQUIRE(*engine.deadline() > now);
      turn(*engine.deadline() - now);
      ++count;
    }
    return count;
  }

  RecordingMonitor monitor;
};

BOOST_FIXTURE_TEST_CASE(health_is_reported_when_it_may_have_changed_and_every_second_while_something_waits,
                        HealthFixture) {
  turn();
  BOOST_TEST(count() == 1U);
  BOOST_TEST(!last().first_snapshot);
  snapshot(ports(1));
  turn();
  BOOST_TEST(last_sink().pending == 1U);
  BOOST_TEST(last_sink().pending_port == "Ethernet0");
  const std::size_t before = count();
  turn();
  BOOST_TEST(count() == before);
  BOOST_REQUIRE(engine.deadline().has_value());
  BOOST_TEST((*engine.deadline() <= now + 1s));
  turn(1s);
  BOOST_TEST(count() == before + 1);
  sink().open();
  settle();
  BOOST_TEST(last_sink().open);
  turn(1s);
  BOOST_TEST(last_sink().pending == 0U);
  source.change(make_link(100, "Ethernet0", false));
  source.drained();
  turn();
  sink().answer(refused);
  turn();
  BOOST_TEST(last_sink().refused_port == "Ethernet0");
  BOOST_TEST(last_sink().error == refused.message());
  turn(2s);
  sink().answer();
  turn();
  BOOST_TEST((!last_sink().refused_since));
}

BOOST_FIXTURE_TEST_CASE(a_flood_is_reported_once_a_second_and_none_of_its_rows_is_behind, HealthFixture) {
  begin(ports(8));
  turn(2s);
  const std::size_t before = count();
  for (int i = 0; i < 5000; ++i) {  // 5 s
    for (int port = 0; port < 8; ++port) {
      source.change(make_link(100 + port, "Ethernet" + std::to_string(port), i % 2 == 0));
    }
    source.drained();
    turn(1ms);
    sink().answer_all();
    BOOST_REQUIRE(last_sink().behind == 0U);
  }
  BOOST_TEST(count() - before >= 4U);
  BOOST_TEST(count() - before <= 6U);
}

BOOST_FIXTURE_TEST_CASE(refusals_of_many_rows_are_reported_once_a_second, HealthFixture) {
  begin(ports(100));
  turn(2s);
  const std::size_t before = count();
  for (int port = 0; port < 100; ++port) {
    source.change(make_link(100 + port, "Ethernet" + std::to_string(port), false));
    source.drained();
    turn(1ms);
    sink().answer(refused);
    turn(1ms);
  }
  BOOST_TEST(count() - before == 1U);
  turn(1s);
  BOOST_TEST(count() - before == 2U);
  BOOST_TEST(last_sink().failures == 100U);
}

BOOST_FIXTURE_TEST_CASE(a_row_is_behind_when_it_has_waited_for_a_second, HealthFixture) {
  begin(ports(3));
  source.change(make_link(100, "Ethernet0", false));
  source.remove(102);
  source.drained();
  turn();
  const TimePoint changed = now - 1us;
  turn(changed + 1s - 1ns - now);
  engine.source_may_have_changed();
  source.counted.snapshot_pending = true;
  engine.source_may_have_changed();
  turn(0ns);
  BOOST_TEST(last_sink().pending == 2U);
  BOOST_TEST(last_sink().behind == 0U);
  source.counted.snapshot_pending = false;
  engine.source_may_have_changed();
  turn(1ns);
  BOOST_TEST(last_sink().behind == 1U);  // the other one is no port any more
  BOOST_TEST(last().ports == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_source_that_was_processed_for_nothing_is_no_news, HealthFixture) {
  begin(ports(1));
  wake_ups();
  const std::size_t before = count();
  engine.source_may_have_changed();
  turn();
  BOOST_TEST(count() == before);
  source.counted.deaf_since = now;
  engine.source_may_have_changed();
  turn();
  BOOST_TEST(count() == before + 1);
  BOOST_TEST((last().deaf_since == source.counted.deaf_since));
}

BOOST_FIXTURE_TEST_CASE(the_last_minute_is_reported_and_that_it_is_over, HealthFixture) {
  begin(ports(2));
  wake_ups();
  BOOST_TEST(last_sink().writes == 0U);
  now = TimePoint{2h};
  for (int i = 0; i < 15; ++i) {
    write(0, i % 2 != 0);
    write(1, i % 2 != 0);
  }
  turn(2s);
  BOOST_TEST(last_sink().writes == 30U);
  BOOST_TEST(last_sink().failures == 0U);
  BOOST_TEST(last().latency_samples == 30U);
  BOOST_TEST(last().latency_p99_us > 0U);
  turn(60s - 2s - 1ms);
  BOOST_TEST(last_sink().writes == 30U);
  BOOST_TEST(last().latency_samples == 30U);
  const std::size_t before = count();
  wake_ups();
  BOOST_TEST(count() == before + 1);
  BOOST_TEST(last_sink().writes == 0U);
  BOOST_TEST(last().latency_samples == 0U);
  BOOST_TEST(last().latency_p99_us == 0U);
}

BOOST_FIXTURE_TEST_CASE(after_the_last_event_there_are_a_handful_of_reports_and_then_none, HealthFixture) {
  begin(ports(1));
  wake_ups();
  BOOST_TEST((!engine.deadline()));
  write(0, false);
  BOOST_TEST(wake_ups() == 2);  // that it was written, and that it is a minute ago
  turn(24h);
  BOOST_TEST((!engine.deadline()));
}

BOOST_FIXTURE_TEST_CASE(a_refused_row_is_one_failure_however_often_it_is_tried_again, HealthFixture) {
  begin(ports(1));
  wake_ups();
  source.change(make_link(100, "Ethernet0", false));
  source.drained();
  turn();
  for (int i = 0; i < 5; ++i) {
    sink().answer(refused);
    turn(2s);
  }
  BOOST_TEST(engine.statistics().failures == 5U);
  BOOST_TEST(last_sink().failures == 1U);
  BOOST_TEST(last_sink().writes == 1U);
  sink().answer_all();
  turn(1s);
  BOOST_TEST(last_sink().failures == 1U);
  BOOST_TEST(last_sink().writes == 2U);
}

BOOST_FIXTURE_TEST_CASE(what_was_lost_and_repaired_is_reported, HealthFixture) {
  begin(ports(1));
  source.counted.overruns = 3;
  source.counted.resyncs = 4;
  sink().rows["Ethernet0"] = down;
  BOOST_TEST(!engine.audit(Scope::listed));
  settle();
  wake_ups();
  BOOST_TEST(last().overruns == 3U);
  BOOST_TEST(last().resyncs == 4U);
  BOOST_TEST(last().drift_repaired == 1U);
}
