// SPDX-License-Identifier: Apache-2.0
// The netlink LinkSource on real links. Each case has a network namespace of its own; needs root or a user namespace.
#define BOOST_TEST_MODULE netlink_link_source
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstring>
#include <portsync/error.hpp>
#include <portsync/netlink/link_source.hpp>
#include <set>
#include <string>
#include <vector>

#include "support/cpp/allocations.hpp"
#include "support/cpp/link_follower.hpp"
#include "support/cpp/netns.hpp"
#include "support/cpp/rtnl.hpp"

namespace portsync {
std::ostream& operator<<(std::ostream& out, Cause cause) {
  return out << to_string(cause);
}
}  // namespace portsync

using namespace portsync;
using namespace std::chrono_literals;
using test::LinkFollower;
using test::Netns;
using test::Rtnl;
using Kind = LinkEvent::Kind;

namespace {

// ---- What can be seen and done to the source's sockets from outside

std::vector<int> descriptors() {
  std::vector<int> found;
  DIR* directory = ::opendir("/proc/self/fd");
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] != '.' && std::atoi(entry->d_name) != ::dirfd(directory)) {
      found.push_back(std::atoi(entry->d_name));
    }
  }
  ::closedir(directory);
  return found;
}

bool is_netlink(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_NETLINK;
}

bool is_joined(int fd) {
  std::array<std::uint32_t, 8> groups{};
  socklen_t size = sizeof groups;
  return ::getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups.data(), &size) == 0 && (groups[0] & 1U) != 0;
}

std::vector<int> event_sockets() {
  auto found = descriptors();
  found.erase(std::remove_if(found.begin(), found.end(), [](int fd) { return !is_netlink(fd) || !is_joined(fd); }),
              found.end());
  return found;
}

// The source's, the only one of the program that is in the group.
int event_socket() {
  const auto found = event_sockets();
  BOOST_REQUIRE_EQUAL(found.size(), 1U);
  return found.front();
}

ino_t inode(int fd) {
  struct stat status {};
  ::fstat(fd, &status);
  return status.st_ino;
}

// From now on nothing arrives at the socket.
void make_deaf(int fd) {
  sock_filter drop_all{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &drop_all};
  BOOST_REQUIRE_EQUAL(::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
}

// Another process that pretends to be the kernel, which CAP_NET_ADMIN allows.
class Spoofer {
 public:
  Spoofer() : fd_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}
  Spoofer(const Spoofer&) = delete;
  Spoofer& operator=(const Spoofer&) = delete;
  ~Spoofer() { ::close(fd_); }

  void send_to_port(int victim, std::uint16_t type, std::int32_t ifindex, std::size_t size = 0) const {
    sockaddr_nl address{};
    socklen_t length = sizeof address;
    ::getsockname(victim, reinterpret_cast<sockaddr*>(&address), &length);
    address.nl_groups = 0;
    send(address, type, ifindex, size);
  }
  void send_to_group(std::uint16_t type, std::int32_t ifindex) const {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = 1U << (RTNLGRP_LINK - 1);
    send(address, type, ifindex, 0);
  }

 private:
  void send(const sockaddr_nl& address, std::uint16_t type, std::int32_t ifindex, std::size_t size) const {
    struct {
      nlmsghdr header;
      ifinfomsg link;
      nlattr name_header;
      char name[12];
    } message{};
    message.header.nlmsg_len = sizeof message;
    message.header.nlmsg_type = type;
    message.link.ifi_index = ifindex;
    message.name_header = {sizeof(nlattr) + sizeof message.name, IFLA_IFNAME};
    std::strcpy(message.name, "spoofed");
    std::vector<char> datagram(std::max(sizeof message, size));
    std::memcpy(datagram.data(), &message, sizeof message);
    const auto sent =
        ::sendto(fd_, datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    BOOST_REQUIRE_EQUAL(sent, static_cast<ssize_t>(datagram.size()));
  }

  int fd_;
};

// Leaves the program only `free` more descriptors.
class FewDescriptors {
 public:
  explicit FewDescriptors(std::size_t free) {
    // UBSan needs descriptors of its own to look at a class for the first time.
    (void)netlink::make_link_source();
    try {
      throw std::system_error(std::make_error_code(std::errc::too_many_files_open), "");
    } catch (const std::system_error& error) {
      BOOST_REQUIRE((error.code() == std::error_code(EMFILE, std::system_category())) == false);
      BOOST_REQUIRE((std::error_code(EMFILE, std::system_category()) == std::errc::too_many_files_open));
    }
    ::getrlimit(RLIMIT_NOFILE, &limit_);
    rlimit lower = limit_;
    lower.rlim_cur = 64;
    ::setrlimit(RLIMIT_NOFILE, &lower);
    for (int fd = 0; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.push_back(fd);
    for (; free > 0; --free) give_back();
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;
  ~FewDescriptors() {
    while (!taken_.empty()) give_back();
    ::setrlimit(RLIMIT_NOFILE, &limit_);
  }

 private:
  void give_back() {
    ::close(taken_.back());
    taken_.pop_back();
  }

  rlimit limit_{};
  std::vector<int> taken_;
};

// ---- A namespace with links, and a source that follows it

std::int32_t index_of(int i) {
  return 100 + i;
}
std::int32_t peer_index_of(int i) {
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
  // A link that is down tells nobody of its alternative names, and a new veth nobody of its peer.
  void set_up(int i) {
    rtnl.set_up(index_of(i), true);
    rtnl.set_up(peer_index_of(i), true);
    const auto end = Clock::now() + 5s;
    const auto is_up = [](const test::LinkFacts& link) { return link.operstate == IF_OPER_UP; };
    for (auto links = rtnl.list(); !is_up(links.at(index_of(i))) || !is_up(links.at(peer_index_of(i)));) {
      BOOST_REQUIRE(Clock::now() < end);
      links = rtnl.list();
    }
  }
  // `count` changes of the first `links` links, each of which leaves the link different from before.
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
    std::map<std::int32_t, test::LinkFacts> told;
    for (const auto& [ifindex, link] : follower.links) told[ifindex] = test::facts_of(link);
    return told == rtnl_.list();
  }
  // What is told is what the kernel has, and no doubt is left.
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

netlink::Options with_buffer(std::size_t bytes) {
  netlink::Options options;
  options.receive_buffer_bytes = bytes;
  return options;
}

netlink::Options with_probes(std::chrono::milliseconds interval, std::chrono::milliseconds timeout) {
  netlink::Options options;
  options.probe_interval = interval;
  options.probe_timeout = timeout;
  return options;
}

}  // namespace

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

BOOST_AUTO_TEST_CASE(all_that_a_link_has_is_told) {
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
  BOOST_TEST(followed.statistics().ignored > ignored);  // the RTM_DELLINK of AF_BRIDGE was there
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
  BOOST_TEST(followed.follower.wait(100));              // fd() says so
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

// ---- Losses

BOOST_AUTO_TEST_CASE(an_overrun_costs_one_snapshot_even_with_links_changing_meanwhile) {
  add(0, 8);
  Followed followed(rtnl, with_buffer(16 * 1024));
  followed.start();
  const int fd = followed.source->fd();
  change(200, 8);
  // Were the old socket, whose queue is full, still in use, these would be dropped.
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

BOOST_AUTO_TEST_CASE(a_snapshot_during_which_the_buffer_overran_is_not_the_end) {
  // So few links and so small a buffer that the listing ends within the call of process() in which the buffer overruns.
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
  add_names(60, 400);  // about the most that the kernel takes
  BOOST_TEST(followed.run_until_link(index_of(0), has_names(400)));
  BOOST_TEST(followed.run_until_equal());
  change(1, 1);  // may be the first one of this length that is read
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
  spoofer.send_to_port(event_socket(), RTM_NEWLINK, 666, 20'000);  // nor are they a loss
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

BOOST_AUTO_TEST_CASE(an_answered_probe_wakes_nobody_before_the_next) {
  Followed followed(rtnl, with_probes(400ms, 100ms));
  followed.start();
  const auto probes = followed.statistics().probes;
  while (followed.statistics().probes == probes) {
    BOOST_REQUIRE(followed.follower.wait(5000));
    followed.follower.process();
  }
  const TimePoint probed = Clock::now();
  BOOST_TEST(followed.follower.wait(1000));
  followed.follower.process();  // the answer
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
    BOOST_TEST(followed.statistics().probes == probes + 2);  // the new socket is not taken on trust
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

// ---- Resources

BOOST_AUTO_TEST_CASE(the_receive_buffer_is_as_large_as_asked_for_or_allowed) {
  Followed followed(rtnl, with_buffer(64 * 1024));
  BOOST_TEST(followed.statistics().receive_buffer_bytes == 128U * 1024);  // the kernel doubles it
  Followed largest(rtnl, with_buffer(std::numeric_limits<std::size_t>::max()));
  BOOST_TEST(largest.statistics().receive_buffer_bytes > 128U * 1024);
}

BOOST_AUTO_TEST_CASE(no_descriptor_is_leaked) {
  add(0, 8);
  const auto before = descriptors().size();
  {
    Followed followed(rtnl, with_buffer(1));
    followed.start();
    const auto running = descriptors().size();
    for (int round = 0; round < 5; ++round) {
      change(50, 8);
      BOOST_TEST(followed.run_until_equal());
    }
    BOOST_TEST(followed.statistics().resyncs > 0U);
    BOOST_TEST(descriptors().size() == running);
  }
  BOOST_TEST(descriptors().size() == before);
}

BOOST_AUTO_TEST_CASE(without_descriptors_the_old_socket_is_kept_until_there_are_some) {
  add(0, 8);
  Followed followed(rtnl, with_buffer(16 * 1024));
  followed.start();
  LinkSourceStatistics statistics;
  bool idle = false;
  {
    const FewDescriptors none(0);
    change(100, 8);
    for (int i = 0; i < 20 && followed.follower.wait(100); ++i) followed.follower.process();
    statistics = followed.statistics();
    idle = !followed.follower.wait(0);
    change(1, 1);  // still followed as far as possible
    const auto mtu = rtnl.list().at(index_of(0)).mtu;
    BOOST_TEST(followed.run_until_link(index_of(0), [=](const LinkState& link) { return link.mtu == mtu; }));
  }
  BOOST_TEST(idle);  // ever longer pauses between attempts
  BOOST_TEST(statistics.overruns >= 1U);
  BOOST_TEST(statistics.resyncs == 0U);
  BOOST_TEST(statistics.snapshot_pending);
  BOOST_TEST(followed.run_until_equal());
  BOOST_TEST(followed.statistics().resyncs == 1U);
}

BOOST_AUTO_TEST_CASE(process_is_bounded) {
  add(0, 800);
  Followed followed(rtnl);
  std::size_t events = 0;
  followed.follower.keep_events = false;
  followed.follower.also = [&](const LinkEvent&) { ++events; };
  followed.follower.start();
  std::size_t most = 0;
  std::size_t rounds = 0;
  const auto run = [&] {
    while (followed.follower.wait(0)) {
      events = 0;
      followed.follower.process();
      most = std::max(most, events);
      ++rounds;
    }
  };
  run();
  BOOST_TEST(followed.follower.links.size() == 1601U);
  change(4000, 800);
  run();
  BOOST_TEST(rounds >= 6U);
  BOOST_TEST(most <= 1024U + 2U);  // and snapshot_end and drained
  BOOST_TEST(followed.run_until_equal());
}

BOOST_AUTO_TEST_CASE(the_steady_state_allocates_nothing) {
  add(0, 4);
  rtnl.add_alternative_name(index_of(0), "etp1");
  rtnl.add_alternative_name(index_of(0), "Eth1_1");
  Followed followed(rtnl);
  followed.follower.keep_events = false;
  followed.start();
  const auto process_counting = [&](int count) {
    std::size_t allocations = 0;
    for (int i = 0; i < count; ++i) {
      change(1 + i % 40, 4);
      rtnl.set_up(index_of(i % 4), i % 8 < 4);
      while (followed.follower.wait(0)) {
        const auto before = test::allocations;
        followed.follower.process();
        allocations += test::allocations - before;
      }
    }
    return allocations;
  };
  process_counting(50);
  BOOST_TEST(process_counting(100) == 0U);
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

// ---- Opening

BOOST_AUTO_TEST_CASE(too_few_descriptors_to_open_is_an_exception_that_says_so) {
  std::error_code code;
  std::string what;
  try {
    const FewDescriptors two(2);  // for epoll and the timer
    (void)netlink::make_link_source();
  } catch (const std::system_error& error) {
    code = error.code();
    what = error.what();
  }
  BOOST_TEST((code == std::errc::too_many_files_open));
  BOOST_TEST(what.find("netlink socket for link events") == 0U);
}

BOOST_AUTO_TEST_CASE(a_forbidden_address_family_is_an_exception_that_names_it) {
  const auto child = ::fork();
  if (child == 0) {
    // What RestrictAddressFamilies= does.
    sock_filter code[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},   {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, __NR_socket},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, args)}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, AF_NETLINK},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EAFNOSUPPORT},      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const sock_fprog program{static_cast<unsigned short>(std::size(code)), code};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
      ::_exit(2);
    }
    try {
      (void)netlink::make_link_source();
      ::_exit(3);
    } catch (const std::system_error& error) {
      const std::string what = error.what();
      const bool named = what.find("AF_NETLINK") != what.npos && what.find("RestrictAddressFamilies=") != what.npos;
      ::_exit(error.code() == std::errc::address_family_not_supported && named ? 0 : 4);
    }
  }
  int status = -1;
  BOOST_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
  BOOST_REQUIRE(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
