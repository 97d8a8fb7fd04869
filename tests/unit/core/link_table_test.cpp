// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE link_table
#include "core/link_table.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <string>
#include <vector>

#include "support/cpp/fakes.hpp"

using namespace portsync;
using core::LinkTable;
using test::make_link;

namespace {

// The links as a listener derives them from the events alone.
struct Mirror {
  std::map<std::int32_t, std::uint32_t> mtus;
  std::vector<std::string> log;

  void operator()(const LinkEvent& event) {
    switch (event.kind) {
      case LinkEvent::Kind::changed:
        BOOST_REQUIRE(event.link != nullptr);
        BOOST_REQUIRE_EQUAL(event.before != nullptr, mtus.count(event.link->ifindex) == 1);
        if (event.before != nullptr) BOOST_REQUIRE(!(*event.before == *event.link));
        mtus[event.link->ifindex] = *event.link->mtu;
        break;
      case LinkEvent::Kind::removed:
        BOOST_REQUIRE_EQUAL(mtus.erase(event.link->ifindex), 1U);
        break;
      default:
        break;
    }
    log.push_back(std::string(to_string(event.cause)) + std::to_string(static_cast<int>(event.kind)));
  }
};

struct Fixture {
  Mirror mirror;
  LinkTable table{[this](const LinkEvent& event) { mirror(event); }};
  TimePoint now;
};

// ---- Every order in which a snapshot and notifications can be read -------------------------------------------------
//
// The kernel executes `operations` in turn. The socket joins the group before operation `join`. The listing is
// requested before operation `request` >= join. The kernel reads link i for it before operation `read[i]` >= request.
// Notifications of the operations from `join` on are read in their order, and replies in theirs, but the two interleave
// in any order: a reply may be queued long after it was made, and a notification may wait long to be read.

struct Operation {
  std::int32_t ifindex;
  bool remove;
};
using Kernel = std::map<std::int32_t, std::uint32_t>;  // ifindex -> mtu

struct Message {
  enum class Kind { changed, removed, reply, done } kind;
  std::int32_t ifindex = 0;
  std::uint32_t mtu = 0;
};

std::vector<Kernel> states_of(const std::vector<Operation>& operations, std::vector<Message>& notifications) {
  std::vector<Kernel> states{{{1, 1000}, {2, 1000}}};
  std::uint32_t mtu = 1000;
  for (const Operation& operation : operations) {
    Kernel next = states.back();
    if (operation.remove) {
      notifications.push_back({Message::Kind::removed, operation.ifindex, 0});
      next.erase(operation.ifindex);
    } else {
      next[operation.ifindex] = ++mtu;
      notifications.push_back({Message::Kind::changed, operation.ifindex, mtu});
    }
    states.push_back(next);
  }
  return states;
}

void feed(LinkTable& table, const Message& message) {
  const TimePoint now;
  switch (message.kind) {
    case Message::Kind::changed:
      return table.on_changed(make_link(message.ifindex, "e", true, message.mtu), now);
    case Message::Kind::removed:
      return table.on_removed(message.ifindex, now);
    case Message::Kind::reply:
      return table.on_snapshot_link(make_link(message.ifindex, "e", true, message.mtu), now);
    case Message::Kind::done:
      return table.end_snapshot(now);
  }
}

// Reads the two queues in the order given by the bits of `order`. The listing is requested after `before_request`
// notifications were read. Returns the links that the listener knows in the end.
Kernel read_in_order(const Kernel& known, const std::vector<Message>& notifications, std::size_t before_request,
                     const std::vector<Message>& replies, unsigned order) {
  Fixture f;
  for (const auto& [ifindex, mtu] : known) f.table.on_changed(make_link(ifindex, "e", true, mtu), f.now);
  std::size_t n = 0;
  while (n < before_request) feed(f.table, notifications[n++]);
  f.table.begin_snapshot(Cause::resync, f.now);
  std::size_t r = 0;
  for (; n < notifications.size() || r < replies.size(); order >>= 1U) {
    const bool reply = n == notifications.size() || (r < replies.size() && (order & 1U) != 0);
    feed(f.table, reply ? replies[r++] : notifications[n++]);
  }
  return f.mirror.mtus;
}

struct Counted {
  std::size_t orders = 0;
};

void try_all_orders(const std::vector<Kernel>& states, const std::vector<Message>& all, std::size_t join,
                    std::size_t request, std::size_t read1, std::size_t read2, Counted& counted) {
  std::vector<Message> replies;
  if (const auto it = states[read1].find(1); it != states[read1].end()) {
    replies.push_back({Message::Kind::reply, 1, it->second});
  }
  if (const auto it = states[read2].find(2); it != states[read2].end()) {
    replies.push_back({Message::Kind::reply, 2, it->second});
  }
  replies.push_back({Message::Kind::done});
  const std::vector<Message> notifications(all.begin() + static_cast<std::ptrdiff_t>(join), all.end());
  for (std::size_t before = 0; before <= request - join; ++before) {
    const unsigned orders = 1U << (notifications.size() - before + replies.size());
    for (unsigned order = 0; order < orders; ++order) {
      ++counted.orders;
      // Before the loss, the listener knew the state before all operations.
      const Kernel known = read_in_order(states.front(), notifications, before, replies, order);
      if (known != states.back()) {
        BOOST_FAIL("join " << join << " request " << request << " reads " << read1 << ' ' << read2 << " read before "
                           << before << " order " << order);
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_interleaving_of_snapshot_and_notifications_ends_at_the_kernels_state) {
  constexpr std::size_t length = PORTSYNC_SANITIZED ? 3 : 4;  // four take a minute with a sanitizer
  Counted counted;
  for (unsigned code = 0; code < 1U << (2 * length); ++code) {
    std::vector<Operation> operations;
    Kernel alive{{1, 0}, {2, 0}};
    bool possible = true;
    for (std::size_t i = 0; i < length; ++i) {
      const unsigned bits = (code >> (2 * i)) & 3U;
      const Operation operation{static_cast<std::int32_t>(1 + (bits & 1U)), (bits & 2U) != 0};
      possible = possible && (!operation.remove || alive.count(operation.ifindex) == 1);
      if (operation.remove) {
        alive.erase(operation.ifindex);
      } else {
        alive[operation.ifindex] = 0;
      }
      operations.push_back(operation);
    }
    if (!possible) continue;
    std::vector<Message> notifications;
    const std::vector<Kernel> states = states_of(operations, notifications);
    for (std::size_t join = 0; join <= length; ++join) {
      for (std::size_t request = join; request <= length; ++request) {
        for (std::size_t read1 = request; read1 <= length; ++read1) {
          for (std::size_t read2 = read1; read2 <= length; ++read2) {
            try_all_orders(states, notifications, join, request, read1, read2, counted);
          }
        }
      }
    }
  }
  BOOST_TEST(counted.orders > (PORTSYNC_SANITIZED ? 50'000U : 300'000U));
  BOOST_TEST_MESSAGE(counted.orders << " orders");
}

BOOST_AUTO_TEST_CASE(an_identical_message_makes_no_event) {
  Fixture f;
  f.table.on_changed(make_link(1, "Ethernet0"), f.now);
  f.table.on_changed(make_link(1, "Ethernet0"), f.now);
  BOOST_TEST(f.mirror.log.size() == 1U);
  BOOST_TEST(f.table.changes() == 1U);
}

BOOST_AUTO_TEST_CASE(a_snapshot_removes_what_it_does_not_list) {
  Fixture f;
  f.table.on_changed(make_link(1, "Ethernet0"), f.now);
  f.table.on_changed(make_link(2, "Ethernet4"), f.now);
  f.table.begin_snapshot(Cause::resync, f.now);
  f.table.on_snapshot_link(make_link(2, "Ethernet4"), f.now);
  BOOST_TEST(f.table.size() == 2U);
  f.table.end_snapshot(f.now);
  BOOST_TEST(f.table.size() == 1U);
  BOOST_TEST(f.mirror.mtus.count(1) == 0U);
}

BOOST_AUTO_TEST_CASE(an_aborted_snapshot_removes_nothing) {
  Fixture f;
  f.table.on_changed(make_link(1, "Ethernet0"), f.now);
  f.table.begin_snapshot(Cause::resync, f.now);
  f.table.abort_snapshot();
  f.table.end_snapshot(f.now);
  BOOST_TEST(f.table.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_snapshot_started_over_forgets_what_the_first_had_listed) {
  Fixture f;
  f.table.on_changed(make_link(1, "Ethernet0"), f.now);
  f.table.begin_snapshot(Cause::resync, f.now);
  f.table.on_snapshot_link(make_link(1, "Ethernet0"), f.now);
  f.table.begin_snapshot(Cause::resync, f.now);
  f.table.end_snapshot(f.now);
  BOOST_TEST(f.table.size() == 0U);
}

BOOST_AUTO_TEST_CASE(tombstones_do_not_outlive_the_snapshot) {
  Fixture f;
  for (std::int32_t ifindex = 1; ifindex <= 1000; ++ifindex) {
    f.table.begin_snapshot(Cause::resync, f.now);
    f.table.on_removed(ifindex, f.now);
    f.table.on_snapshot_link(make_link(ifindex, "e"), f.now);
    f.table.end_snapshot(f.now);
  }
  BOOST_TEST(f.table.size() == 0U);
  BOOST_TEST(f.mirror.mtus.empty());
}

// Repeatedly interrupted listings used to leave a tombstone for each link that was removed meanwhile.
BOOST_AUTO_TEST_CASE(tombstones_of_listings_that_are_given_up_do_not_accumulate) {
  Fixture f;
  for (std::int32_t ifindex = 1; ifindex <= 1000; ++ifindex) {
    f.table.begin_snapshot(Cause::resync, f.now);
    f.table.on_changed(make_link(ifindex, "e"), f.now);
    f.table.on_removed(ifindex, f.now);
    f.table.on_removed(ifindex + 5000, f.now);
    BOOST_TEST(f.table.tombstones() == 2U);
    if (ifindex % 2 == 0) f.table.abort_snapshot();
  }
  f.table.abort_snapshot();
  BOOST_TEST(f.table.tombstones() == 0U);
  BOOST_TEST(f.table.size() == 0U);
}

// ---- An ifindex that was reused while notifications were lost

namespace {

enum class Lost { nothing, notifications };

// Returns the events when a snapshot lists `now` under the ifindex of `before`.
std::vector<LinkEvent> events_of(const LinkState& before, const LinkState& now, Lost lost) {
  std::vector<LinkEvent> events;
  LinkTable table([&events](const LinkEvent& event) { events.push_back(event); });
  table.on_changed(before, {});
  if (lost == Lost::notifications) table.on_loss();
  table.begin_snapshot(Cause::resync, {});
  events.clear();
  table.on_snapshot_link(now, {});
  table.end_snapshot({});
  BOOST_TEST(table.size() == 1U);
  events.pop_back();
  return events;
}

LinkState with_address(std::uint8_t last, std::uint32_t carrier_changes = 8) {
  LinkState link = make_link(7, "Ethernet0");
  link.address.size = 6;
  link.address.bytes[5] = last;
  link.carrier_changes = carrier_changes;
  link.carrier_up_count = carrier_changes / 2;
  link.carrier_down_count = carrier_changes / 2;
  return link;
}

bool is_replacement(const std::vector<LinkEvent>& events) {
  return events.size() == 2 && events[0].kind == LinkEvent::Kind::removed && events[0].cause == Cause::resync &&
         events[1].kind == LinkEvent::Kind::changed && events[1].cause == Cause::resync && events[1].before == nullptr;
}

bool is_change(const std::vector<LinkEvent>& events) {
  return events.size() == 1 && events[0].kind == LinkEvent::Kind::changed && events[0].before != nullptr;
}

}  // namespace

BOOST_AUTO_TEST_CASE(another_link_under_a_known_ifindex_is_reported_as_removed_and_new) {
  const LinkState known = with_address(1);
  BOOST_TEST(is_replacement(events_of(known, with_address(2), Lost::notifications)));
  BOOST_TEST(is_replacement(events_of(known, with_address(1, 6), Lost::notifications)));
  LinkState other_kind = known;
  other_kind.kind = "macvlan";
  BOOST_TEST(is_replacement(events_of(known, other_kind, Lost::notifications)));
  for (const auto counter :
       {&LinkState::carrier_changes, &LinkState::carrier_up_count, &LinkState::carrier_down_count}) {
    LinkState fewer = known;
    fewer.*counter = 0;
    BOOST_TEST(is_replacement(events_of(known, fewer, Lost::notifications)));
  }
}

BOOST_AUTO_TEST_CASE(a_link_that_changed_while_notifications_were_lost_stays_the_same) {
  const LinkState known = with_address(1);
  LinkState changed = known;
  changed.name = "swp1";
  changed.mtu = 9100;
  changed.master = 9;
  changed.flags = 0;
  changed.carrier_down_count = 5;
  BOOST_TEST(is_change(events_of(known, changed, Lost::notifications)));
  LinkState not_counted = known;
  not_counted.carrier_changes.reset();
  BOOST_TEST(is_change(events_of(known, not_counted, Lost::notifications)));
  BOOST_TEST(events_of(known, known, Lost::notifications).empty());
}

BOOST_AUTO_TEST_CASE(without_a_loss_a_known_ifindex_is_the_known_link) {
  BOOST_TEST(is_change(events_of(with_address(1), with_address(2), Lost::nothing)));
  Fixture f;
  f.table.on_changed(with_address(1), f.now);
  f.table.on_changed(with_address(2), f.now);
  BOOST_TEST(f.mirror.log.size() == 2U);
}

// The first message about the link after the loss may be a notification. Then the reply is ignored.
BOOST_AUTO_TEST_CASE(a_notification_after_a_loss_may_be_about_another_link) {
  Fixture f;
  f.table.on_changed(with_address(1), f.now);
  f.table.on_loss();
  f.table.begin_snapshot(Cause::resync, f.now);
  f.mirror.log.clear();
  f.table.on_changed(with_address(2), f.now);
  BOOST_TEST(f.mirror.log == (std::vector<std::string>{"notified1", "notified0"}), boost::test_tools::per_element());
  f.table.on_changed(with_address(3), f.now);  // the link is known again
  f.table.on_snapshot_link(with_address(2), f.now);
  f.table.end_snapshot(f.now);
  BOOST_TEST(f.mirror.log == (std::vector<std::string>{"notified1", "notified0", "notified0", "resync3"}),
             boost::test_tools::per_element());
}

// ---- Links that an interrupted listing left out

BOOST_AUTO_TEST_CASE(what_was_neither_listed_nor_touched_is_in_doubt) {
  Fixture f;
  for (std::int32_t ifindex = 1; ifindex <= 5; ++ifindex) f.table.on_changed(make_link(ifindex, "e"), f.now);
  f.table.begin_snapshot(Cause::resync, f.now);
  f.table.on_snapshot_link(make_link(1, "e"), f.now);
  f.table.on_changed(make_link(2, "e", false), f.now);
  f.table.on_removed(3, f.now);
  std::vector<std::int32_t> unlisted = f.table.unlisted();
  std::sort(unlisted.begin(), unlisted.end());
  BOOST_TEST(unlisted == (std::vector<std::int32_t>{4, 5}), boost::test_tools::per_element());
  f.table.on_snapshot_link(make_link(4, "e"), f.now);
  BOOST_TEST(f.table.unlisted() == std::vector<std::int32_t>{5}, boost::test_tools::per_element());
  f.table.end_snapshot(f.now);
  BOOST_TEST(f.mirror.mtus.count(4) == 1U);
  BOOST_TEST(f.mirror.mtus.count(5) == 0U);
  BOOST_TEST(f.table.unlisted().empty());
}
