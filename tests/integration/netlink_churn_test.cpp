// SPDX-License-Identifier: Apache-2.0
// The netlink LinkSource while links come and go faster than they can be listed, so that no listing is ever complete.
#define BOOST_TEST_MODULE netlink_churn
#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <portsync/netlink/link_source.hpp>
#include <string>
#include <thread>
#include <utility>

#include "support/cpp/followed_links.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;
using Kind = LinkEvent::Kind;

namespace {

constexpr int pairs = PORTSYNC_SANITIZED ? 300 : 1500;  // of links that stay

// Makes 400 links a second, and deletes each a little later.
class Churn {
 public:
  explicit Churn(const Netns& netns) : thread_([this, &netns] { run(netns); }) {}
  Churn(const Churn&) = delete;
  Churn& operator=(const Churn&) = delete;
  ~Churn() {
    stopped_ = true;
    thread_.join();
  }
  void wait_for_rounds(int count) const {
    const TimePoint end = Clock::now() + 20s;
    for (const int before = rounds_; rounds_ < before + count;) {
      BOOST_REQUIRE(Clock::now() < end);
      std::this_thread::sleep_for(1ms);
    }
  }

 private:
  static constexpr int kept = 8;
  static constexpr int first = 40'000;
  static constexpr int to_peer = 1'000'000;  // from a link's ifindex to its peer's

  void run(const Netns& netns) {
    netns.enter();
    Rtnl rtnl;
    for (TimePoint next = Clock::now(); !stopped_; ++rounds_) {
      const int at = first + rounds_;
      rtnl.add_veth("churn" + std::to_string(rounds_), at, "back" + std::to_string(rounds_), at + to_peer);
      if (rounds_ >= kept) rtnl.remove(at - kept);
      next = std::max(next + 5ms, Clock::now() - 5ms);  // two links at a time
      std::this_thread::sleep_until(next);
    }
    // The kernel sends no notification that a new veth's peer has a parent. Up ends are notified with it.
    for (int round = std::max(rounds_ - kept, 0); round < rounds_; ++round) {
      rtnl.set_up(first + round, true);
      rtnl.set_up(first + round + to_peer, true);
    }
  }

  std::atomic<bool> stopped_ = false;
  std::atomic<int> rounds_ = 0;
  std::thread thread_;
};

// Returns a longer limit for a busy machine and for sanitizers.
std::chrono::milliseconds patiently(std::chrono::milliseconds limit) {
  const char* factor = std::getenv("PORTSYNC_PATIENCE");
  return limit * std::max(factor == nullptr ? 1 : std::atoi(factor), 1) * (PORTSYNC_SANITIZED ? 10 : 1);
}

// Stretches limits by how slow the machine is at the time of the test. The yardstick is what the tests measure, without
// churn: the time in which a new source has listed all links. On a machine that does nothing else that is `usual`.
class Yardstick {
 public:
  explicit Yardstick(Rtnl& rtnl) : rtnl_(rtnl) { measure(); }
  // Measures again, and keeps the slowest result. The load may come and go during the test.
  void measure() {
    Followed followed(rtnl_);
    followed.follower.keep_events = false;
    const TimePoint begin = Clock::now();
    followed.start();
    BOOST_TEST_MESSAGE("all links are listed in " << (Clock::now() - begin) / 1ms << " ms");
    slowest_ = std::max(slowest_, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin));
  }
  [[nodiscard]] std::chrono::milliseconds stretch(std::chrono::milliseconds limit) const {
    return std::max(patiently(limit), limit * slowest_.count() / usual.count());
  }

 private:
  static constexpr std::chrono::milliseconds usual{100};

  Rtnl& rtnl_;
  std::chrono::milliseconds slowest_{0};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(netlink_churn, Links)

BOOST_AUTO_TEST_CASE(the_first_snapshot_ends_while_no_listing_is_complete) {
  add(0, pairs);
  Yardstick yardstick(rtnl);
  Followed followed(rtnl);
  followed.follower.keep_events = false;
  bool ended = false;
  TimePoint end;
  TimePoint::duration took;
  followed.follower.also = [&](const LinkEvent& event) {
    if (event.kind != Kind::snapshot_end || std::exchange(ended, true)) return;
    end = Clock::now();
    BOOST_TEST(event.cause == Cause::initial);
  };
  {
    const Churn churn(netns);
    churn.wait_for_rounds(20);
    followed.follower.start();
    const TimePoint begin = Clock::now();
    while (!ended && Clock::now() < begin + patiently(20s)) {
      if (followed.follower.wait(10)) followed.follower.process();
    }
    BOOST_REQUIRE(ended);
    BOOST_TEST_MESSAGE("first snapshot after " << (end - begin) / 1ms << " ms, " << followed.statistics().interrupted
                                               << " interrupted");
    took = end - begin;
    for (int i = 0; i < pairs; ++i) BOOST_REQUIRE(followed.follower.links.count(index_of(i)) == 1);
    const auto statistics = followed.statistics();
    BOOST_TEST(statistics.snapshots == 1U);
    // A doubt that remains is reported.
    BOOST_TEST(statistics.snapshot_pending == (statistics.interrupted_in_a_row > 0));
  }
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().interrupted_in_a_row == 0U);
  yardstick.measure();
  BOOST_TEST((took <= yardstick.stretch(500ms)));
}

BOOST_AUTO_TEST_CASE(a_removal_that_was_lost_is_found_while_no_listing_is_complete) {
  add(0, pairs);
  Yardstick yardstick(rtnl);
  TimePoint::duration took;
  Followed followed(rtnl, with_buffer(512 * 1024));
  followed.follower.keep_events = false;
  followed.start();
  {
    const Churn churn(netns);
    change(1000, pairs);
    rtnl.remove(index_of(3));
    const TimePoint begin = Clock::now();
    const auto gone = [&] { return followed.follower.links.count(index_of(3)) == 0; };
    while (!gone() && Clock::now() < begin + patiently(20s)) {
      if (followed.follower.wait(10)) followed.follower.process();
    }
    const TimePoint end = Clock::now();
    BOOST_TEST(gone());
    BOOST_TEST_MESSAGE("removal found after " << (end - begin) / 1ms << " ms, " << followed.statistics().interrupted
                                              << " interrupted");
    took = end - begin;
    BOOST_TEST(followed.statistics().overruns >= 1U);
  }
  BOOST_TEST(followed.run_until_equal());
  yardstick.measure();
  BOOST_TEST((took <= yardstick.stretch(1s)));
}

BOOST_AUTO_TEST_SUITE_END()
