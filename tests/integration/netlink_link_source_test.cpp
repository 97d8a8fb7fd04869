// SPDX-License-Identifier: Apache-2.0
// The netlink LinkSource on real links: start, changes, snapshots on request, handlers. Each case has its own network
// namespace. Needs root or a user namespace.
#define BOOST_TEST_MODULE netlink_link_source
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <portsync/error.hpp>
#include <portsync/netlink/link_source.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/cpp/followed_links.hpp"
#include "support/cpp/source_sockets.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;
using Kind = LinkEvent::Kind;

BOOST_FIXTURE_TEST_SUITE(netlink_link_source, Links)

// ---- Start

BOOST_AUTO_TEST_CASE(the_first_snapshot_lists_what_exists) {
  add(0, 3);
  set_up(0);
  Followed followed(rtnl);
  followed.start();

  const auto& events = followed.follower.events;
  BOOST_REQUIRE_EQUAL(events.size(), 3U + followed.follower.links.size());
  BOOST_TEST((events[0].kind == Kind::snapshot_begin));
  for (std::size_t i = 1; i + 2 < events.size(); ++i) BOOST_TEST((events[i].kind == Kind::changed));
  for (std::size_t i = 0; i + 1 < events.size(); ++i) BOOST_TEST(events[i].cause == Cause::initial);
  BOOST_TEST((events[events.size() - 2].kind == Kind::snapshot_end));
  BOOST_TEST((events.back().kind == Kind::drained));

  const auto statistics = followed.statistics();
  BOOST_TEST(statistics.links == 7U);  // with lo
  BOOST_TEST(statistics.snapshots == 1U);
  BOOST_TEST(statistics.resyncs == 0U);
  BOOST_TEST(statistics.changes == 7U);
  BOOST_TEST(statistics.backlog_bytes == 0U);
}

BOOST_AUTO_TEST_CASE(all_attributes_of_a_link_are_reported) {
  add(0, 1);
  rtnl.add_bridge("br0", 50);
  rtnl.set_master(index_of(0), 50);
  rtnl.add_alternative_name(index_of(0), "etp1");
  set_up(0);
  Followed followed(rtnl);
  followed.start();
  const LinkState& link = followed.follower.links.at(index_of(0));
  BOOST_TEST(link.name == "Ethernet0");
  BOOST_TEST((link.admin_up() && link.running() && link.lower_up()));
  BOOST_TEST((link.operstate == OperState::up));
  BOOST_TEST(link.mtu.value() == 1500U);
  BOOST_TEST(link.carrier_up_count.value() + link.carrier_down_count.value() == link.carrier_changes.value());
  BOOST_TEST(static_cast<int>(link.address.size) == 6);
  BOOST_TEST(link.master == 50);
  BOOST_TEST(link.parent == peer_index_of(0));
  BOOST_TEST(link.kind == "veth");
  BOOST_TEST(link.slave_kind == "bridge");
  BOOST_TEST(link.alternative_names == std::vector<std::string>{"etp1"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_changes_between_making_and_starting_is_not_lost) {
  Followed followed(rtnl);
  add(0, 2);
  followed.start();
}

BOOST_AUTO_TEST_CASE(misuse_is_refused) {
  Followed followed(rtnl);
  BOOST_TEST((followed.source->process() == Errc::not_started));
  BOOST_TEST((followed.source->resync() == Errc::not_started));
  BOOST_TEST((followed.source->start(nullptr) == std::errc::invalid_argument));
  followed.start();
  BOOST_TEST((followed.source->start([](const LinkEvent&) {}) == Errc::already_started));
}

// ---- Changes

BOOST_AUTO_TEST_CASE(admin_state_carrier_and_mtu) {
  add(0, 1);
  Followed followed(rtnl);
  followed.start();
  const auto becomes = [&](const std::function<bool(const LinkState&)>& holds) {
    return followed.run_until_link(index_of(0), holds) && followed.run_until_equal();
  };
  rtnl.set_up(index_of(0), true);
  BOOST_TEST(becomes([](const LinkState& link) { return link.admin_up() && !link.running(); }));
  rtnl.set_up(peer_index_of(0), true);
  BOOST_TEST(becomes([](const LinkState& link) { return link.running() && link.operstate == OperState::up; }));
  const auto downs = followed.follower.links.at(index_of(0)).carrier_down_count.value();
  rtnl.set_up(peer_index_of(0), false);
  BOOST_TEST(becomes([=](const LinkState& link) { return !link.running() && link.carrier_down_count == downs + 1; }));
  rtnl.set_mtu(index_of(0), 9100);
  BOOST_TEST(becomes([](const LinkState& link) { return link.mtu == 9100U; }));
  rtnl.set_up(index_of(0), false);
  BOOST_TEST(becomes([](const LinkState& link) { return !link.admin_up(); }));
  BOOST_TEST(followed.statistics().resyncs == 0U);
  for (const auto& event : followed.follower.events) {
    if (event.kind == Kind::changed) BOOST_TEST((event.cause == Cause::initial || event.cause == Cause::notified));
  }
}

BOOST_AUTO_TEST_CASE(changes_are_followed_by_drained) {
  add(0, 1);
  Followed followed(rtnl);
  followed.start();
  followed.follower.events.clear();
  change(3, 1);
  BOOST_TEST(followed.run_until_equal());
  const auto& events = followed.follower.events;
  BOOST_REQUIRE(!events.empty());
  BOOST_TEST((events.back().kind == Kind::drained));
  BOOST_TEST(followed.follower.count(Kind::drained) == 1U);
  BOOST_TEST(!followed.follower.wait(0));
}

BOOST_AUTO_TEST_CASE(a_rename_is_a_change_of_the_same_link) {
  add(0, 1);
  Followed followed(rtnl);
  followed.start();
  followed.follower.events.clear();
  rtnl.rename(index_of(0), "swp1");
  BOOST_TEST(followed.run_until_link(index_of(0), [](const LinkState& link) { return link.name == "swp1"; }));
  BOOST_TEST(followed.follower.events.front().name_before == "Ethernet0");
  BOOST_TEST(followed.follower.count(Kind::removed) == 0U);
}

BOOST_AUTO_TEST_CASE(two_links_swap_their_names) {
  add(0, 2);
  Followed followed(rtnl);
  followed.start();
  rtnl.rename(index_of(0), "tmp");
  rtnl.rename(index_of(1), "Ethernet0");
  rtnl.rename(index_of(0), "Ethernet4");
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.follower.find("Ethernet0")->ifindex == index_of(1));
  BOOST_TEST(followed.follower.find("Ethernet4")->ifindex == index_of(0));
  BOOST_TEST(followed.follower.count(Kind::removed) == 0U);
}

BOOST_AUTO_TEST_CASE(a_link_is_deleted_and_made_again_with_the_same_ifindex) {
  add(0, 1);
  Followed followed(rtnl);
  followed.start();
  followed.follower.events.clear();
  rtnl.remove(index_of(0));
  rtnl.add_veth("another", index_of(0), "p0", peer_index_of(0));
  set_up(0);
  BOOST_TEST(followed.run_until_link(index_of(0), [](const LinkState& link) { return link.name == "another"; }));
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.follower.count(Kind::removed) == 2U);
  const auto& events = followed.follower.events;
  const auto removed = std::find_if(events.begin(), events.end(), [](const LinkFollower::Event& event) {
    return event.kind == Kind::removed && event.ifindex == index_of(0);
  });
  BOOST_REQUIRE((removed != events.end()));
  BOOST_TEST(removed->name == "Ethernet0");
  const auto added = std::find_if(removed, events.end(), [](const LinkFollower::Event& event) {
    return event.kind == Kind::changed && event.ifindex == index_of(0);
  });
  BOOST_REQUIRE((added != events.end()));
  BOOST_TEST(added->name == "another");
  BOOST_TEST(added->name_before.empty());
}

BOOST_AUTO_TEST_CASE(alternative_names_come_and_go) {
  add(0, 1);
  set_up(0);
  Followed followed(rtnl);
  followed.start();
  const auto names_are = [&](const std::vector<std::string>& names) {
    return followed.run_until_link(index_of(0), [&](const LinkState& link) { return link.alternative_names == names; });
  };
  const std::string long_name(100, 'x');
  rtnl.add_alternative_name(index_of(0), "etp1");
  BOOST_TEST(names_are({"etp1"}));
  rtnl.add_alternative_name(index_of(0), long_name);
  BOOST_TEST(names_are({"etp1", long_name}));
  rtnl.remove_alternative_name(index_of(0), "etp1");
  BOOST_TEST(names_are({long_name}));
  rtnl.remove_alternative_name(index_of(0), long_name);
  BOOST_TEST(names_are({}));
}

BOOST_AUTO_TEST_CASE(leaving_a_bridge_is_no_removal) {
  add(0, 1);
  rtnl.add_bridge("br0", 50);
  Followed followed(rtnl);
  followed.start();
  followed.follower.events.clear();
  rtnl.set_master(index_of(0), 50);
  BOOST_TEST(followed.run_until_link(index_of(0), [](const LinkState& link) { return link.master == 50; }));
  const auto ignored = followed.statistics().ignored;
  rtnl.set_master(index_of(0), 0);
  BOOST_TEST(followed.run_until_link(index_of(0), [](const LinkState& link) { return link.master == 0; }));
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.follower.links.at(index_of(0)).slave_kind.empty());
  BOOST_TEST(followed.statistics().ignored > ignored);  // the RTM_DELLINK of AF_BRIDGE has come
  BOOST_TEST(followed.follower.count(Kind::removed) == 0U);
}

BOOST_AUTO_TEST_CASE(a_link_is_deleted_while_it_is_in_a_bridge) {
  add(0, 1);
  rtnl.add_bridge("br0", 50);
  rtnl.set_master(index_of(0), 50);
  Followed followed(rtnl);
  followed.start();
  rtnl.remove(index_of(0));
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.follower.links.count(index_of(0)) == 0U);
}

BOOST_AUTO_TEST_CASE(a_link_moves_to_another_namespace_and_back) {
  add(0, 1);
  Followed followed(rtnl);
  followed.start();
  const Netns elsewhere = Netns::enter_new();
  Rtnl rtnl_elsewhere;
  netns.enter();

  rtnl.move_to(index_of(0), elsewhere.fd());
  BOOST_TEST(followed.follower.run_until([&] { return followed.follower.links.count(index_of(0)) == 0; }));
  BOOST_TEST(followed.run_until_equal());
  rtnl_elsewhere.move_to(index_of(0), netns.fd());
  BOOST_TEST(followed.follower.run_until([&] { return followed.follower.find("Ethernet0") != nullptr; }));
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().resyncs == 0U);
}

// ---- Snapshots on request

BOOST_AUTO_TEST_CASE(a_resync_on_request_finds_nothing_new_and_keeps_the_socket) {
  add(0, 3);
  Followed followed(rtnl);
  followed.start();
  followed.follower.events.clear();
  const auto socket = inode(event_socket());
  BOOST_TEST(!followed.source->resync());
  BOOST_TEST(!followed.source->resync());
  BOOST_TEST(!followed.statistics().snapshot_pending);  // nothing is in doubt
  BOOST_TEST(followed.follower.wait(100));              // fd() is readable
  BOOST_TEST(followed.follower.run_until_snapshot());
  const auto& events = followed.follower.events;
  BOOST_REQUIRE_EQUAL(events.size(), 3U);
  BOOST_TEST((events[0].kind == Kind::snapshot_begin));
  BOOST_TEST(events[0].cause == Cause::resync);
  BOOST_TEST((events[1].kind == Kind::snapshot_end));
  BOOST_TEST((events[2].kind == Kind::drained));
  BOOST_TEST(inode(event_socket()) == socket);
  BOOST_TEST(followed.statistics().resyncs == 1U);
  BOOST_TEST(followed.statistics().snapshots == 2U);
}

// ---- Handlers

BOOST_AUTO_TEST_CASE(an_exception_of_the_handler_leaves_the_source_valid) {
  add(0, 20);
  Followed followed(rtnl);
  followed.start();
  change(20, 20);
  int throws = 3;
  followed.follower.also = [&](const LinkEvent& event) {
    if (event.kind == Kind::changed && throws-- > 0) throw std::runtime_error("of the handler");
  };
  int caught = 0;
  while (throws > 0) {
    BOOST_REQUIRE(followed.follower.wait(2000));
    try {
      followed.follower.process();
    } catch (const std::runtime_error& error) {
      BOOST_TEST(error.what() == std::string("of the handler"));
      ++caught;
    }
  }
  BOOST_TEST(caught == 3);
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().resyncs >= 1U);
}

BOOST_AUTO_TEST_CASE(an_exception_at_any_event_of_a_snapshot_starts_it_over) {
  add(0, 3);
  for (const auto kind : {Kind::snapshot_begin, Kind::changed, Kind::snapshot_end, Kind::drained}) {
    Followed followed(rtnl);
    bool thrown = false;
    followed.follower.also = [&](const LinkEvent& event) {
      if (event.kind == kind && !std::exchange(thrown, true)) throw std::runtime_error("of the handler");
    };
    followed.follower.start();
    while (!thrown) {
      BOOST_REQUIRE(followed.follower.wait(2000));
      try {
        followed.follower.process();
      } catch (const std::runtime_error&) {
      }
    }
    BOOST_TEST(followed.run_until_equal());
    BOOST_TEST(followed.follower.count(Kind::snapshot_begin) == 2U);
  }
}

// Each process() spends its time on notifications and then reads one datagram of replies, which may be the last one.
BOOST_AUTO_TEST_CASE(a_snapshot_ends_though_notifications_take_all_the_time) {
  add(0, 3);
  Followed followed(rtnl);
  followed.start();
  followed.follower.also = [](const LinkEvent& event) {
    if (event.kind == Kind::changed) std::this_thread::sleep_for(2ms);
  };
  BOOST_TEST(!followed.source->resync());
  for (int i = 0; i < 20; ++i) {
    change(1, 1);
    BOOST_REQUIRE(followed.follower.wait(1000));
    followed.follower.process();
  }
  BOOST_TEST(followed.follower.run_until([&] { return followed.statistics().snapshots == 2U; }));
  BOOST_TEST(followed.run_until_equal());
}

BOOST_AUTO_TEST_CASE(a_handler_may_ask_for_a_snapshot) {
  add(0, 1);
  Followed followed(rtnl);
  followed.follower.also = [&](const LinkEvent&) { BOOST_TEST(!followed.source->resync()); };
  followed.follower.start();
  for (int i = 0; i < 10; ++i) {
    BOOST_REQUIRE(followed.follower.wait(1000));
    followed.follower.process();
  }
  followed.follower.also = nullptr;
  BOOST_TEST(followed.run_until_equal());
}

BOOST_AUTO_TEST_SUITE_END()
