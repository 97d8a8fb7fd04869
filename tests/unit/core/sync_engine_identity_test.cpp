// SPDX-License-Identifier: Apache-2.0
// Links that were created again under a stored name, and ports that were down for a moment. Neighbours must see such a
// change although the row looks the same.
#define BOOST_TEST_MODULE sync_engine_identity
#include <boost/test/unit_test.hpp>

#include "unit/core/sync_engine_fixture.hpp"

using namespace portsync;
using namespace portsync::test;

namespace {

SynchronizerOptions sonic() {
  SynchronizerOptions options;
  options.replace_on_new_ifindex = true;
  options.write_bounces = true;
  return options;
}

LinkState port(std::uint32_t downs = 0) {
  LinkState link = make_link(100, "Ethernet0");
  link.carrier_up_count = downs + 1;
  link.carrier_down_count = downs;
  link.carrier_changes = 2 * downs + 1;
  link.address.size = 6;
  return link;
}

struct SonicFixture : Fixture {
  SonicFixture() : Fixture(sonic()) { begin({port(3)}); }

  void change(const LinkState& link, Cause cause = Cause::notified) { source.change(link, cause); }
  void done() {
    source.drained();
    settle();
  }
};

const Log replaced{"erase Ethernet0", "put Ethernet0"};
const Log written_whole{"put Ethernet0"};

}  // namespace

// LinkTable reports a removed link and a new one if an address or a carrier count shows that they differ.
BOOST_FIXTURE_TEST_CASE(an_ifindex_used_again_within_a_loss_is_a_replacement, SonicFixture) {
  source.remove(100, Cause::resync);
  change(port(3), Cause::resync);
  done();
  BOOST_TEST((sink().log == replaced));
  BOOST_TEST((sink().rows == Rows{{"Ethernet0", up}}));
}

BOOST_FIXTURE_TEST_CASE(an_ifindex_used_again_while_a_write_is_on_its_way_is_a_replacement, SonicFixture) {
  LinkState link = port(3);
  link.mtu = 9100;
  change(link);
  source.drained();
  turn();
  source.remove(100);
  change(port(0));
  done();
  BOOST_TEST((sink().log == Log{"put Ethernet0", "erase Ethernet0", "put Ethernet0"}));
}

BOOST_FIXTURE_TEST_CASE(an_address_that_is_set_is_no_replacement, SonicFixture) {
  LinkState link = port(3);
  link.address.bytes[5] = 7;
  change(link);
  done();
  BOOST_TEST(sink().log.empty());
}

BOOST_FIXTURE_TEST_CASE(a_link_deleted_and_made_again_with_its_ifindex_is_a_replacement, SonicFixture) {
  source.remove(100);
  change(port(0));
  done();
  BOOST_TEST((sink().log == replaced));
}

BOOST_FIXTURE_TEST_CASE(a_name_given_away_and_taken_back_within_a_batch_is_no_replacement, SonicFixture) {
  LinkState link = port(3);
  link.name = "tmp";
  change(link);
  change(port(3));
  done();
  BOOST_TEST(sink().log.empty());
}

BOOST_AUTO_TEST_CASE(a_link_made_anew_after_a_restart_that_wrote_nothing_is_a_replacement) {
  Fixture f(sonic());
  f.sink().rows = {{"Ethernet0", up}};
  f.begin({port()});
  BOOST_TEST(f.sink().log.empty());
  f.source.remove(100);
  LinkState anew = port();
  anew.ifindex = 200;
  f.source.change(anew);
  f.source.drained();
  f.settle();
  BOOST_TEST((f.sink().log == replaced));
}

BOOST_AUTO_TEST_CASE(a_link_made_anew_while_we_were_away_is_a_replacement) {
  for (const std::int32_t before : {0, 100, 77}) {
    Fixture f(sonic());
    if (before != 0) f.engine.set_known_ifindexes({{"Ethernet0", before}, {"Ethernet4", 5}});
    f.sink().rows = {{"Ethernet0", up}};
    f.turn();
    f.sink().open();
    f.snapshot({port()});
    f.settle();
    BOOST_TEST((f.sink().log == (before == 77 ? replaced : Log{})));
    BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}}));
    f.sink().log.clear();
    f.sink().close(lost);
    f.sink().open();
    f.settle();
    BOOST_TEST(f.sink().log.empty());
  }
}

// Its row was left alone, since no link matched when it was read.
BOOST_AUTO_TEST_CASE(a_link_made_anew_while_we_were_away_is_a_replacement_also_when_it_comes_later) {
  for (const std::int32_t before : {0, 100, 77}) {
    Fixture f(sonic());
    if (before != 0) f.engine.set_known_ifindexes({{"Ethernet0", before}});
    f.sink().rows = {{"Ethernet0", up}};
    f.begin({});
    BOOST_TEST(f.engine.statistics().rows_left_alone == 1U);
    f.source.change(port());
    f.source.drained();
    f.settle();
    BOOST_TEST((f.sink().log == (before == 77 ? replaced : Log{})));
    BOOST_TEST((f.sink().rows == Rows{{"Ethernet0", up}}));
  }
}

BOOST_FIXTURE_TEST_CASE(an_admin_down_and_up_within_a_batch_is_a_whole_row, SonicFixture) {
  LinkState link = port(3);
  link.flags = 0x1U;  // IFF_UP alone
  change(link);
  link.flags = 0;
  change(link);
  change(port(3));
  source.drained();
  turn();
  BOOST_REQUIRE(sink().operations.size() == 1U);
  BOOST_TEST(sink().operations.front().whole);
  done();
  BOOST_TEST((sink().log == written_whole));
  // It is written once.
  change(port(3));
  done();
  BOOST_TEST((sink().log == written_whole));
}

BOOST_FIXTURE_TEST_CASE(a_bounce_that_a_row_shows_is_not_written_twice, SonicFixture) {
  change(make_link(100, "Ethernet0", false));
  done();
  change(port(4));
  done();
  BOOST_TEST((sink().log == Log{"put Ethernet0", "put Ethernet0"}));
  BOOST_TEST((sink().rows == Rows{{"Ethernet0", up}}));
}

BOOST_FIXTURE_TEST_CASE(a_bounce_that_only_the_kernel_counted_is_a_whole_row, SonicFixture) {
  change(port(4), Cause::resync);
  done();
  BOOST_TEST((sink().log == written_whole));
}

BOOST_FIXTURE_TEST_CASE(a_count_of_ups_alone_is_no_bounce, SonicFixture) {
  LinkState link = port(3);
  link.carrier_up_count = 9;
  link.mtu = 1500;
  change(link, Cause::resync);
  done();
  BOOST_TEST(sink().log.empty());
}

BOOST_FIXTURE_TEST_CASE(another_master_is_a_whole_row, SonicFixture) {
  LinkState link = port(3);
  link.master = 5;
  change(link);
  done();
  BOOST_TEST((sink().log == written_whole));
  link.address.bytes[5] = 7;
  change(link);
  done();
  BOOST_TEST((sink().log == written_whole));
}

BOOST_FIXTURE_TEST_CASE(a_bounce_while_a_batch_is_on_its_way_is_the_next_one, SonicFixture) {
  LinkState link = port(3);
  link.master = 5;
  change(link);
  source.drained();
  turn();
  change(make_link(100, "Ethernet0", false));
  link.carrier_down_count = 4;
  change(link);
  done();
  BOOST_TEST((sink().log == Log{"put Ethernet0", "put Ethernet0"}));
}

BOOST_FIXTURE_TEST_CASE(a_bounce_whose_write_was_lost_or_refused_is_written_again, SonicFixture) {
  change(make_link(100, "Ethernet0", false));
  change(port(4));
  source.drained();
  turn();
  sink().close(lost);
  sink().open();
  settle();
  BOOST_TEST((sink().log == written_whole));
  change(make_link(100, "Ethernet0", false));
  change(port(5));
  source.drained();
  turn();
  sink().answer(refused);
  turn(2s);
  settle();
  BOOST_TEST((sink().log == Log{"put Ethernet0", "put Ethernet0"}));
}

BOOST_AUTO_TEST_CASE(a_bounce_costs_nothing_without_write_bounces) {
  Fixture f;
  f.begin({port(3)});
  f.source.change(make_link(100, "Ethernet0", false));
  LinkState back = port(4);
  back.master = 5;
  f.source.change(back);
  f.source.drained();
  f.settle();
  BOOST_TEST(f.sink().log.empty());
}

BOOST_FIXTURE_TEST_CASE(fields_of_others_that_went_with_a_row_found_late_are_named, SonicFixture) {
  sink().fields_lost = {"speed", "host_tx_ready"};
  source.remove(100);
  done();
  BOOST_TEST(recorder.count(Kind::fields_lost) == 0U);  // the removal was noticed in time
  change(port(0));
  done();
  source.remove(100, Cause::resync);
  done();
  const auto reports = recorder.of(Kind::fields_lost);
  BOOST_REQUIRE(reports.size() == 1U);
  BOOST_TEST(reports[0].port == "Ethernet0");
  BOOST_TEST(reports[0].fields == sink().fields_lost);
}
