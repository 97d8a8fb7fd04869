// SPDX-License-Identifier: Apache-2.0
// A network namespace with links, and a LinkSource that follows it.
#pragma once

#include <linux/if.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <portsync/netlink/link_source.hpp>
#include <string>

#include "support/cpp/link_follower.hpp"
#include "support/cpp/netns.hpp"
#include "support/cpp/rtnl.hpp"

namespace portsync {

inline std::ostream& operator<<(std::ostream& out, Cause cause) {
  return out << to_string(cause);
}

}  // namespace portsync

namespace portsync::test {

inline std::int32_t index_of(int i) {
  return 100 + i;
}
inline std::int32_t peer_index_of(int i) {
  return 20000 + i;
}

struct Links {
  Netns netns = Netns::enter_new();
  Rtnl rtnl;

  void add(int first, int last) {
    for (int i = first; i < last; ++i) {
      rtnl.add_veth("Ethernet" + std::to_string(4 * i), index_of(i), "p" + std::to_string(i), peer_index_of(i));
    }
  }
  // Sets both ends up. The kernel sends no notification of the alternative names of a link that is down, nor of the
  // peer of a new veth.
  void set_up(int i) {
    rtnl.set_up(index_of(i), true);
    rtnl.set_up(peer_index_of(i), true);
    const auto end = Clock::now() + std::chrono::seconds(5);
    const auto is_up = [](const LinkFacts& link) { return link.operstate == IF_OPER_UP; };
    for (auto links = rtnl.list(); !is_up(links.at(index_of(i))) || !is_up(links.at(peer_index_of(i)));) {
      BOOST_REQUIRE(Clock::now() < end);
      links = rtnl.list();
    }
  }
  // Makes `count` changes to the first `links` links. Each one leaves the link different from before.
  void change(int count, int links) {
    for (int i = 0; i < count; ++i) {
      mtu_ = mtu_ == 9000 ? 1500 : mtu_ + 1;
      rtnl.set_mtu(index_of(i % links), mtu_);
    }
  }

 private:
  std::uint32_t mtu_ = 1500;
};

struct Followed {
  explicit Followed(Rtnl& rtnl, const netlink::Options& options = {})
      : source(netlink::make_link_source(options)), follower(*source), rtnl_(rtnl) {}

  [[nodiscard]] LinkSourceStatistics statistics() const { return source->statistics(); }

  [[nodiscard]] bool equal() const {
    std::map<std::int32_t, LinkFacts> reported;
    for (const auto& [ifindex, link] : follower.links) reported[ifindex] = test::facts_of(link);
    return reported == rtnl_.list();
  }
  // Runs until the reported links equal the kernel's, and no snapshot is pending.
  [[nodiscard]] bool run_until_equal() {
    return follower.run_until([this] { return !statistics().snapshot_pending && equal(); });
  }
  void start() {
    follower.start();
    BOOST_REQUIRE(run_until_equal());
  }
  [[nodiscard]] bool run_until_link(std::int32_t ifindex, const std::function<bool(const LinkState&)>& holds) {
    return follower.run_until([&] {
      const auto it = follower.links.find(ifindex);
      return it != follower.links.end() && holds(it->second);
    });
  }

  std::unique_ptr<LinkSource> source;
  LinkFollower follower;

 private:
  Rtnl& rtnl_;
};

inline netlink::Options with_buffer(std::size_t bytes) {
  netlink::Options options;
  options.receive_buffer_bytes = bytes;
  return options;
}

inline netlink::Options with_probes(std::chrono::milliseconds interval, std::chrono::milliseconds timeout) {
  netlink::Options options;
  options.probe_interval = interval;
  options.probe_timeout = timeout;
  return options;
}

}  // namespace portsync::test
