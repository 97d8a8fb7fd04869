// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE receive_buffer
#include "netlink/receive_buffer.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>

using namespace portsync::netlink;

namespace {

// Sends datagrams that are not from the kernel.
struct Fixture {
  Fixture() { BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0); }
  ~Fixture() {
    for (const int end : ends) ::close(end);
  }

  void send(const std::string& text) const {
    BOOST_REQUIRE(::send(ends[1], text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  }
  std::string text(std::size_t slot) {
    const auto data = buffer.datagram(slot).data;
    return {reinterpret_cast<const char*>(data.data()), data.size()};
  }

  std::array<int, 2> ends{};
  ReceiveBuffer buffer;
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_kernel_is_port_0_of_a_whole_netlink_address) {
  sockaddr_nl sender{};
  sender.nl_family = AF_NETLINK;
  BOOST_TEST(is_kernel(sender, sizeof sender));
  BOOST_TEST(!is_kernel(sender, sizeof sender - 1));
  sender.nl_pid = 1;
  BOOST_TEST(!is_kernel(sender, sizeof sender));
  sender.nl_pid = 0;
  sender.nl_family = AF_UNIX;
  BOOST_TEST(!is_kernel(sender, sizeof sender));
}

BOOST_FIXTURE_TEST_CASE(nothing_there_is_not_waited_for, Fixture) {
  BOOST_TEST(buffer.receive(ends[0]) == -EAGAIN);
  BOOST_TEST(buffer.receive(-1) == -EBADF);
}

BOOST_FIXTURE_TEST_CASE(each_datagram_has_a_slot_in_the_order_they_came, Fixture) {
  send("one");
  send("two");
  BOOST_REQUIRE(buffer.receive(ends[0]) == 2);
  BOOST_TEST(text(0) == "one");
  BOOST_TEST(text(1) == "two");
  BOOST_TEST(!buffer.datagram(0).truncated);
  BOOST_TEST(!buffer.datagram(0).from_kernel);
  send("three");
  BOOST_REQUIRE(buffer.receive(ends[0]) == 1);
  BOOST_TEST(text(0) == "three");
}

BOOST_FIXTURE_TEST_CASE(a_datagram_longer_than_a_slot_is_cut_and_says_so, Fixture) {
  const std::size_t slot = ReceiveBuffer::bytes / ReceiveBuffer::max_slots;
  send(std::string(slot, 'a'));
  send(std::string(slot + 1, 'b'));
  send("c");
  BOOST_REQUIRE(buffer.receive(ends[0]) == 3);
  BOOST_TEST(!buffer.datagram(0).truncated);
  BOOST_TEST(buffer.datagram(1).truncated);
  BOOST_TEST((text(1) == std::string(slot, 'b')));
  BOOST_TEST(text(2) == "c");
}

// Another process of the namespace may send any datagram.
BOOST_FIXTURE_TEST_CASE(only_the_kernel_makes_the_slots_longer, Fixture) {
  send(std::string(20'000, 'x'));
  BOOST_REQUIRE(buffer.receive(ends[0]) == 1);
  buffer.fit_slots();
  BOOST_TEST(buffer.slots() == ReceiveBuffer::max_slots);
}
