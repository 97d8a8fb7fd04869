// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE control_connection
#include "faces/socket/control_connection.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>
#include <utility>

using namespace portsyncd;

namespace {

std::array<int, 2> make_ends() {
  std::array<int, 2> ends{};
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return ends;
}

struct Fixture {
  ~Fixture() { hang_up(); }

  void hang_up() {
    if (client >= 0) ::close(std::exchange(client, -1));
  }
  void say(std::string_view text) const {
    BOOST_REQUIRE(::send(client, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  }
  // Returns the bytes that have arrived.
  [[nodiscard]] std::string hear() const {
    std::string text;
    std::array<char, 65536> bytes{};
    for (;;) {
      const ssize_t size = ::recv(client, bytes.data(), bytes.size(), 0);
      if (size <= 0) return text;
      text.append(bytes.data(), static_cast<std::size_t>(size));
    }
  }
  std::string line() {
    std::string taken = "(none)";
    (void)connection.take_line(taken);
    return taken;
  }

  std::array<int, 2> ends = make_ends();
  int client = ends[1];
  ControlConnection connection{ends[0]};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(lines_are_taken_one_by_one_as_they_become_complete, Fixture) {
  BOOST_TEST(connection.read());  // nothing has arrived
  BOOST_TEST(!connection.has_line());
  say("one\ntwo\nthr");
  BOOST_TEST(connection.read());
  BOOST_TEST(line() == "one");
  BOOST_TEST(line() == "two");
  BOOST_TEST(!connection.has_line());
  BOOST_TEST(line() == "(none)");
  say("ee\n\n");
  BOOST_TEST(connection.read());
  BOOST_TEST(line() == "three");
  BOOST_TEST(line() == "");
}

BOOST_FIXTURE_TEST_CASE(a_line_may_have_4096_bytes_and_not_one_more, Fixture) {
  say(std::string(ControlConnection::longest_line, 'x'));
  BOOST_TEST(connection.read());
  BOOST_TEST(!connection.is_too_long());
  say("\n");
  BOOST_TEST(connection.read());
  BOOST_TEST(line().size() == ControlConnection::longest_line);
  say(std::string(ControlConnection::longest_line + 1, 'x'));
  BOOST_TEST(connection.read());
  BOOST_TEST(connection.is_too_long());
  connection.discard_input();
  BOOST_TEST(!connection.is_too_long());
}

BOOST_FIXTURE_TEST_CASE(no_more_is_read_than_one_line_too_long, Fixture) {
  say(std::string(3 * ControlConnection::longest_line, 'x') + "\n");
  BOOST_TEST(connection.read());
  BOOST_TEST(connection.is_too_long());
  BOOST_TEST(!connection.has_line());
  // The rest of the line is still in the socket.
  for (int rest = 0; rest < 2; ++rest) {
    connection.discard_input();
    BOOST_TEST(connection.read());
  }
  BOOST_TEST(line() ==
             std::string(3 * ControlConnection::longest_line - 2 * (ControlConnection::longest_line + 1), 'x'));
}

BOOST_FIXTURE_TEST_CASE(a_line_that_is_nearly_too_long_is_read_on_by_what_is_missing, Fixture) {
  say(std::string(ControlConnection::longest_line, 'x'));
  BOOST_TEST(connection.read());
  say("xy\n");
  BOOST_TEST(connection.read());
  BOOST_TEST(connection.is_too_long());
  connection.discard_input();
  BOOST_TEST(connection.read());
  BOOST_TEST(line() == "y");
}

BOOST_FIXTURE_TEST_CASE(lines_that_came_before_the_end_are_taken, Fixture) {
  say("last\n");
  hang_up();
  BOOST_TEST(!connection.read());
  BOOST_TEST(line() == "last");
}

BOOST_FIXTURE_TEST_CASE(what_is_queued_is_written_when_there_is_room, Fixture) {
  std::string text;
  for (int i = 0; text.size() < 4'000'000; ++i) text += std::to_string(i) + '\n';
  connection.queue(text);
  BOOST_TEST(connection.write());
  BOOST_TEST(connection.unsent_bytes() > 0U);  // the socket's buffer is smaller
  std::string heard = hear();
  while (connection.unsent_bytes() > 0) {
    const std::size_t before = connection.unsent_bytes();
    BOOST_REQUIRE(connection.write());
    BOOST_REQUIRE(connection.unsent_bytes() < before);
    heard += hear();
  }
  BOOST_TEST((heard == text));
}

BOOST_FIXTURE_TEST_CASE(what_is_queued_while_something_waits_comes_behind_it, Fixture) {
  const std::string large(4'000'000, 'x');
  connection.queue(large);
  BOOST_TEST(connection.write());
  const std::size_t unsent_bytes = connection.unsent_bytes();
  connection.queue("end\n");
  BOOST_TEST(connection.unsent_bytes() == unsent_bytes + 4);
  std::string heard = hear();
  while (connection.unsent_bytes() > 0) {
    BOOST_REQUIRE(connection.write());
    heard += hear();
  }
  BOOST_TEST((heard == large + "end\n"));
}

BOOST_FIXTURE_TEST_CASE(a_client_that_has_gone_is_found_without_a_signal, Fixture) {
  hang_up();
  connection.queue("answer\n");
  BOOST_TEST(!connection.write());
}
