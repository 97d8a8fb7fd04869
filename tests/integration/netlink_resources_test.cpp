// SPDX-License-Identifier: Apache-2.0
// The netlink LinkSource on real links: the buffers, descriptors, memory and time it takes, and how it is opened. Each
// case has its own network namespace. Needs root or a user namespace.
#define BOOST_TEST_MODULE netlink_resources
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <limits>
#include <portsync/netlink/link_source.hpp>
#include <string>
#include <system_error>

#include "support/cpp/allocations.hpp"
#include "support/cpp/few_descriptors.hpp"
#include "support/cpp/followed_links.hpp"
#include "support/cpp/source_sockets.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;
using Kind = LinkEvent::Kind;

BOOST_FIXTURE_TEST_SUITE(netlink_resources, Links)

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
    change(1, 1);  // links are still followed as well as possible
    const auto mtu = rtnl.list().at(index_of(0)).mtu;
    BOOST_TEST(followed.run_until_link(index_of(0), [=](const LinkState& link) { return link.mtu == mtu; }));
  }
  BOOST_TEST(idle);  // the pauses between attempts grow
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
  const auto run = [&](int timeout_ms) {
    while (followed.follower.wait(timeout_ms)) {
      events = 0;
      followed.follower.process();
      most = std::max(most, events);
      ++rounds;
    }
  };
  run(1000);  // a thread reads the listing
  BOOST_TEST(followed.follower.links.size() == 1601U);
  change(4000, 800);
  run(0);
  BOOST_TEST(rounds >= 6U);
  BOOST_TEST(most <= 1024U + 2U);  // plus snapshot_end and drained
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
    // As RestrictAddressFamilies= does.
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
