// SPDX-License-Identifier: Apache-2.0
// The netlink LinkSource while another program holds the kernel's rtnl lock. Needs root.
#define BOOST_TEST_MODULE netlink_lock
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <portsync/netlink/link_source.hpp>

#include "support/cpp/followed_links.hpp"
#include "support/cpp/rtnl_lock.hpp"
#include "support/cpp/source_sockets.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;
using Kind = LinkEvent::Kind;

namespace {

struct LinksAndLock : Links {
  LinksAndLock() {
    add(0, 3);
    if (!RtnlLock::hold("Ethernet0")) {
      std::fprintf(stderr, "skipped: userfaultfd(2) may not stop the kernel here\n");
      std::_Exit(77);
    }
  }
  [[nodiscard]] static std::unique_ptr<RtnlLock> hold_lock() { return RtnlLock::hold("Ethernet0"); }
};

// Returns the longest time that one process() took until the condition held or `limit` was over.
template <typename Condition>
std::chrono::nanoseconds longest_process(LinkSource& source, Condition condition,
                                         std::chrono::milliseconds limit = 2s) {
  std::chrono::nanoseconds longest{0};
  for (const TimePoint end = Clock::now() + limit; !condition() && Clock::now() < end;) {
    pollfd waited{source.fd(), POLLIN, 0};
    ::poll(&waited, 1, 10);
    const TimePoint begin = Clock::now();
    BOOST_REQUIRE(!source.process());
    longest = std::max<std::chrono::nanoseconds>(longest, Clock::now() - begin);
  }
  return longest;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(netlink_lock, LinksAndLock)

BOOST_AUTO_TEST_CASE(a_listing_does_not_wait_for_the_lock_of_links) {
  Followed followed(rtnl, with_probes(20ms, 1s));
  followed.start();
  const auto before = followed.statistics();
  auto lock = hold_lock();
  BOOST_TEST(!followed.source->resync());
  // The listing begins, nothing else waits for it, and its duration can be read.
  const TimePoint begin = Clock::now();
  const auto longest =
      longest_process(*followed.source, [&] { return followed.statistics().probes >= before.probes + 5; });
  BOOST_TEST((longest < 200ms));
  const auto during = followed.statistics();
  BOOST_TEST(during.resyncs == before.resyncs + 1);
  BOOST_TEST(during.snapshots == before.snapshots);
  BOOST_TEST(during.probes >= before.probes + 5);
  BOOST_TEST(during.probe_failures == 0U);
  BOOST_REQUIRE(during.listing_silent_since.has_value());
  BOOST_TEST((*during.listing_silent_since >= begin && *during.listing_silent_since <= Clock::now()));
  lock.reset();
  BOOST_TEST(followed.follower.run_until([&] { return followed.statistics().snapshots == before.snapshots + 1; }));
  BOOST_TEST(followed.statistics().interrupted == 0U);  // nor did it count as a failure
  BOOST_TEST(!followed.statistics().listing_silent_since.has_value());
}

BOOST_AUTO_TEST_CASE(the_first_listing_does_not_wait_for_the_lock_of_links) {
  auto lock = hold_lock();
  Followed followed(rtnl);
  followed.follower.start();
  const auto longest =
      longest_process(*followed.source, [&] { return followed.statistics().listing_silent_since.has_value(); });
  BOOST_TEST((longest < 200ms));
  BOOST_TEST(!followed.follower.wait(100));  // nor does the loop spin
  lock.reset();
  BOOST_TEST(followed.run_until_equal());
}

BOOST_AUTO_TEST_CASE(a_source_goes_while_its_listing_waits_for_the_lock_of_links) {
  const auto before = descriptors().size();
  std::optional<Followed> followed(std::in_place, rtnl);
  followed->follower.start();
  auto lock = hold_lock();
  (void)longest_process(*followed->source, [&] { return followed->statistics().listing_silent_since.has_value(); });
  const TimePoint begin = Clock::now();
  followed.reset();
  BOOST_TEST((Clock::now() - begin < 200ms));
  lock.reset();
  // The thread that was abandoned ends, and its socket is closed.
  for (const TimePoint end = Clock::now() + 5s; descriptors().size() != before && Clock::now() < end;) {
    ::poll(nullptr, 0, 5);
  }
  BOOST_TEST(descriptors().size() == before);
}

BOOST_AUTO_TEST_SUITE_END()
