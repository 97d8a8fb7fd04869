// SPDX-License-Identifier: Apache-2.0
// The netlink LinkSource on real links: losses, and probes that find what no error reports. Each case has its own
// network namespace. Needs root or a user namespace.
#define BOOST_TEST_MODULE netlink_losses
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <optional>
#include <portsync/netlink/link_source.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/cpp/followed_links.hpp"
#include "support/cpp/source_sockets.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;
using Kind = LinkEvent::Kind;

BOOST_FIXTURE_TEST_SUITE(netlink_losses, Links)

// ---- Losses

BOOST_AUTO_TEST_CASE(an_overrun_costs_one_snapshot_even_with_links_changing_meanwhile) {
  add(0, 8);
  Followed followed(rtnl, with_buffer(16 * 1024));
  followed.start();
  const int fd = followed.source->fd();
  change(200, 8);
  // The old socket's queue is full. If it were still in use, these would be dropped.
  followed.follower.also = [&](const LinkEvent& event) {
    if (event.kind == Kind::snapshot_begin) change(8, 8);
  };
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().overruns == 1U);
  BOOST_TEST(followed.statistics().resyncs == 1U);
  BOOST_TEST(followed.source->fd() == fd);
  BOOST_TEST(event_sockets().size() == 1U);
}

BOOST_AUTO_TEST_CASE(links_that_keep_changing_during_recoveries_are_right_in_the_end) {
  add(0, 8);
  Followed followed(rtnl, with_buffer(16 * 1024));
  followed.start();
  for (int round = 0; round < 200; ++round) {
    change(round % 40, 8);
    if (round % 7 == 0) add(8, 9);
    followed.follower.process();
    if (round % 7 == 3) rtnl.remove(index_of(8));
  }
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().overruns > 1U);
}

BOOST_AUTO_TEST_CASE(the_smallest_buffer_works) {
  add(0, 8);
  Followed followed(rtnl, with_buffer(1));
  followed.start();
  BOOST_TEST(followed.statistics().receive_buffer_bytes < 8192U);
  for (int round = 0; round < 50; ++round) {
    change(5, 8);
    add(8, 10);
    followed.follower.process();
    rtnl.remove(index_of(8));
    followed.follower.process();
    rtnl.remove(index_of(9));
  }
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().overruns > 0U);
}

// Such a link was once reported as a change of the one before it. In sonic mode, DEL and HSET were then missing, and if
// the one before was ignored, the new one was ignored for ever.
BOOST_AUTO_TEST_CASE(a_link_made_anew_with_the_same_ifindex_during_an_overrun_is_removed_and_new) {
  add(0, 2);
  Followed followed(rtnl, with_buffer(16 * 1024));
  followed.start();
  followed.follower.events.clear();
  change(200, 2);
  rtnl.remove(index_of(0));
  add(0, 1);
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().overruns >= 1U);
  std::vector<Kind> kinds;
  for (const auto& event : followed.follower.events) {
    if (event.ifindex == index_of(0) && event.cause == Cause::resync) kinds.push_back(event.kind);
  }
  BOOST_TEST((kinds == std::vector<Kind>{Kind::removed, Kind::changed}));
  BOOST_TEST(followed.follower.count(Kind::removed) == 2U);  // and of the other end
}

BOOST_AUTO_TEST_CASE(a_snapshot_during_which_the_buffer_overran_is_not_the_end) {
  // There are so few links, and the buffer is so small, that the listing ends in the same process() in which the buffer
  // overruns.
  add(0, 1);
  Followed followed(rtnl, with_buffer(1));
  bool flooded = false;
  std::size_t ends = 0;
  followed.follower.also = [&](const LinkEvent& event) {
    if (event.kind == Kind::changed && !std::exchange(flooded, true)) change(10, 1);
    if (event.kind == Kind::snapshot_end && ++ends == 1) BOOST_TEST(followed.statistics().overruns >= 1U);
  };
  followed.start();
  BOOST_TEST(ends == 1U);
  BOOST_TEST(followed.follower.count(Kind::snapshot_begin) == 2U);
  for (const auto& event : followed.follower.events) {
    if (event.kind == Kind::snapshot_begin) BOOST_TEST(event.cause == Cause::initial);
  }
}

BOOST_AUTO_TEST_CASE(an_interrupted_listing_is_not_the_end) {
  add(0, 150);
  Followed followed(rtnl);
  bool changed = false;
  followed.follower.also = [&](const LinkEvent& event) {
    if (event.kind != Kind::changed || std::exchange(changed, true)) return;
    rtnl.remove(index_of(0));
    add(150, 151);
  };
  followed.start();
  BOOST_TEST(followed.statistics().interrupted == 1U);
  BOOST_TEST(followed.follower.count(Kind::snapshot_begin) == 2U);
  BOOST_TEST(followed.follower.count(Kind::snapshot_end) == 1U);
  BOOST_TEST(followed.statistics().snapshots == 1U);
  BOOST_TEST(followed.statistics().overruns == 0U);
}

BOOST_AUTO_TEST_CASE(a_listing_without_an_answer_is_asked_for_again) {
  add(0, 2);
  Followed followed(rtnl);
  bool first = true;
  followed.follower.also = [&](const LinkEvent& event) {
    if (event.kind != Kind::snapshot_begin || !std::exchange(first, false)) return;
    const auto before = descriptors();  // the request's socket is the newest
    const auto request =
        std::find_if(before.rbegin(), before.rend(), [](int fd) { return is_netlink(fd) && !is_joined(fd); });
    BOOST_REQUIRE((request != before.rend()));
    make_deaf(*request);
  };
  followed.start();
  BOOST_TEST(followed.statistics().interrupted == 1U);
  BOOST_TEST(followed.statistics().snapshots == 1U);
}

BOOST_AUTO_TEST_CASE(a_message_longer_than_the_buffer_is_a_loss_once) {
  add(0, 1);
  set_up(0);
  const auto add_names = [&](int first, int last) {
    for (int i = first; i < last; ++i) {
      rtnl.add_alternative_name(index_of(0), "name" + std::to_string(i) + std::string(112, 'x'));
    }
  };
  const auto has_names = [](std::size_t count) {
    return [count](const LinkState& link) { return link.alternative_names.size() == count; };
  };
  add_names(0, 40);
  Followed followed(rtnl);
  followed.start();
  BOOST_TEST(followed.statistics().truncated == 0U);
  add_names(40, 60);  // past 8 KiB
  BOOST_TEST(followed.run_until_link(index_of(0), has_names(60)));
  BOOST_TEST(followed.run_until_equal());
  const auto truncated = followed.statistics().truncated;
  const auto resyncs = followed.statistics().resyncs;
  BOOST_TEST(truncated >= 1U);
  BOOST_TEST(resyncs == 1U);
  change(1, 1);
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().truncated == truncated);
  BOOST_TEST(followed.statistics().resyncs == resyncs);
  add_names(60, 400);  // about as many as the kernel accepts
  BOOST_TEST(followed.run_until_link(index_of(0), has_names(400)));
  BOOST_TEST(followed.run_until_equal());
  change(1, 1);  // this may be the first one of this length that is read
  BOOST_TEST(followed.run_until_equal());
  const auto truncated_at_last = followed.statistics().truncated;
  change(1, 1);
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().truncated == truncated_at_last);
}

BOOST_AUTO_TEST_CASE(messages_that_are_not_the_kernels_are_dropped_and_counted) {
  add(0, 1);
  Followed followed(rtnl);
  followed.start();
  followed.follower.events.clear();
  const Spoofer spoofer;
  spoofer.send_to_port(event_socket(), RTM_NEWLINK, 666);
  spoofer.send_to_port(event_socket(), RTM_DELLINK, index_of(0));
  spoofer.send_to_port(event_socket(), RTM_NEWLINK, 666, 20'000);  // these do not count as a loss either
  spoofer.send_to_group(RTM_NEWLINK, 666);
  spoofer.send_to_group(RTM_DELLINK, index_of(0));
  BOOST_TEST(followed.follower.run_until([&] { return followed.statistics().foreign == 5; }));
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.follower.events.empty());
  BOOST_TEST(followed.statistics().truncated == 0U);
  BOOST_TEST(followed.statistics().malformed == 0U);
  BOOST_TEST(followed.statistics().resyncs == 0U);
}

// ---- Probes

BOOST_AUTO_TEST_CASE(a_quiet_switch_is_not_deaf) {
  Followed followed(rtnl, with_probes(10ms, 500ms));
  followed.start();
  BOOST_TEST(followed.follower.run_until([&] { return followed.statistics().probes >= 10; }));
  BOOST_TEST(followed.statistics().probe_failures == 0U);
  BOOST_TEST(followed.statistics().resyncs == 0U);
  BOOST_TEST(!followed.statistics().deaf_since.has_value());
}

BOOST_AUTO_TEST_CASE(an_answer_that_waited_for_us_is_not_late) {
  Followed followed(rtnl, with_probes(10ms, 10ms));
  followed.start();
  for (int i = 0; i < 5; ++i) {
    const auto probes = followed.statistics().probes;
    while (followed.statistics().probes == probes) {
      BOOST_REQUIRE(followed.follower.wait(1000));
      followed.follower.process();
    }
    ::poll(nullptr, 0, 30);  // not scheduled for three times the limit
    followed.follower.run_while_ready();
  }
  BOOST_TEST(followed.statistics().probe_failures == 0U);
}

BOOST_AUTO_TEST_CASE(an_answered_probe_causes_no_wakeup_before_the_next) {
  Followed followed(rtnl, with_probes(400ms, 100ms));
  followed.start();
  const auto probes = followed.statistics().probes;
  while (followed.statistics().probes == probes) {
    BOOST_REQUIRE(followed.follower.wait(5000));
    followed.follower.process();
  }
  const TimePoint probed = Clock::now();
  BOOST_TEST(followed.follower.wait(1000));
  followed.follower.process();  // the reply
  BOOST_TEST(followed.follower.wait(5000));
  BOOST_TEST((Clock::now() - probed >= 350ms));
  BOOST_TEST(followed.statistics().probe_failures == 0U);
}

BOOST_AUTO_TEST_CASE(without_an_interval_there_are_no_probes) {
  Followed followed(rtnl, with_probes(0ms, 10ms));
  followed.start();
  BOOST_TEST(!followed.follower.wait(50));
  BOOST_TEST(followed.statistics().probes == 0U);
}

BOOST_AUTO_TEST_CASE(a_deaf_socket_is_noticed_and_replaced) {
  add(0, 2);
  Followed followed(rtnl, with_probes(50ms, 50ms));
  followed.start();
  const auto socket = inode(event_socket());
  make_deaf(event_socket());
  change(2, 2);
  bool was_deaf = false;
  const auto probes = followed.statistics().probes;
  followed.follower.also = [&](const LinkEvent& event) {
    if (event.kind != Kind::snapshot_begin) return;
    was_deaf = followed.statistics().deaf_since.has_value();
    BOOST_TEST(followed.statistics().probes == probes + 2);  // the new socket is probed, too
  };
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(was_deaf);
  BOOST_TEST(followed.statistics().probe_failures == 1U);
  BOOST_TEST(followed.statistics().resyncs == 1U);
  BOOST_TEST(inode(event_socket()) != socket);
  BOOST_TEST(followed.follower.run_until([&] { return !followed.statistics().deaf_since.has_value(); }));
  change(2, 2);
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().resyncs == 1U);
}

BOOST_AUTO_TEST_CASE(as_long_as_every_socket_is_deaf_they_are_replaced_at_a_bounded_rate) {
  add(0, 1);
  Followed followed(rtnl, with_probes(20ms, 20ms));
  followed.start();
  make_deaf(event_socket());
  followed.follower.also = [&](const LinkEvent& event) {
    if (event.kind == Kind::snapshot_begin) make_deaf(event_socket());
  };
  std::optional<TimePoint> deaf_since;
  BOOST_TEST(followed.follower.run_until([&] { return followed.statistics().probe_failures >= 6; }));
  deaf_since = followed.statistics().deaf_since;
  BOOST_REQUIRE(deaf_since.has_value());
  change(1, 1);
  followed.follower.also = nullptr;
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.follower.run_until([&] { return !followed.statistics().deaf_since.has_value(); }));
  BOOST_TEST(event_sockets().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_lost_membership_is_noticed) {
  add(0, 2);
  Followed followed(rtnl, with_probes(50ms, 500ms));
  followed.start();
  const int group = RTNLGRP_LINK;
  BOOST_REQUIRE_EQUAL(::setsockopt(event_socket(), SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof group), 0);
  change(2, 2);
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().resyncs == 1U);
  BOOST_TEST(followed.statistics().probe_failures == 1U);
  change(2, 2);
  BOOST_TEST(followed.run_until_equal());
}

BOOST_AUTO_TEST_CASE(drops_without_an_error_are_noticed_by_the_probe) {
  add(0, 4);
  auto options = with_probes(50ms, 500ms);
  options.receive_buffer_bytes = 16 * 1024;
  Followed followed(rtnl, options);
  followed.start();
  const int on = 1;
  BOOST_REQUIRE_EQUAL(::setsockopt(event_socket(), SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on), 0);
  change(100, 4);
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().overruns == 1U);
  BOOST_TEST(followed.statistics().resyncs == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
