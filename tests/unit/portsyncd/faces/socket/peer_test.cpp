// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE peer
#include "faces/socket/peer.hpp"

#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <vector>

using namespace portsyncd;

BOOST_AUTO_TEST_CASE(only_root_the_daemon_s_user_and_its_group_may_change) {
  constexpr uid_t user = 400;
  constexpr gid_t group = 500;
  BOOST_TEST(may_change({0, {}}, user, group));
  BOOST_TEST(may_change({user, {}}, user, group));
  BOOST_TEST(may_change({1000, {1000, group}}, user, group));
  BOOST_TEST(!may_change({1000, {1000}}, user, group));
  BOOST_TEST(!may_change({group, {user}}, user, group));  // a user id is no group id
  BOOST_TEST(!may_change(Peer(), user, group));           // the kernel did not report the peer
}

BOOST_AUTO_TEST_CASE(the_kernel_identifies_the_peer) {
  std::array<int, 2> ends{};
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const Peer peer = peer_of(ends[0]);
  BOOST_TEST(peer.uid == ::geteuid());
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
  BOOST_REQUIRE(::getgroups(static_cast<int>(groups.size()), groups.data()) >= 0);
  groups.push_back(::getegid());
  for (const gid_t group : groups) {
    BOOST_TEST((std::find(peer.groups.begin(), peer.groups.end(), group) != peer.groups.end()));
  }
  for (const int end : ends) ::close(end);
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_is_no_unix_socket_has_no_peer) {
  const Peer peer = peer_of(-1);
  BOOST_TEST(peer.uid == static_cast<uid_t>(-1));
  BOOST_TEST(peer.groups.empty());
}
