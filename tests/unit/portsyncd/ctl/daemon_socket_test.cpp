// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE daemon_socket
#include "ctl/daemon_socket.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "ctl/error.hpp"
#include "ctl/exit_status.hpp"
#include "support/cpp/temporary_folder.hpp"

using namespace portsyncctl;

namespace {

struct Fixture {
  Fixture() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    BOOST_REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    BOOST_REQUIRE(::listen(listener, 1) == 0);
  }
  ~Fixture() {
    ::close(listener);
    if (daemon >= 0) ::close(daemon);
  }

  void accept() {
    daemon = ::accept(listener, nullptr, nullptr);
    BOOST_REQUIRE(daemon >= 0);
  }
  void say(std::string_view text) const {
    BOOST_REQUIRE(::send(daemon, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] std::string hear() const {
    std::array<char, 256> bytes{};
    const ssize_t size = ::recv(daemon, bytes.data(), bytes.size(), 0);
    return {bytes.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
  }

  portsync::test::TemporaryFolder folder;
  std::string path = folder.file("control.sock");
  int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int daemon = -1;
};

template <typename Function>
std::string refusal(int status, Function function) {
  try {
    function();
  } catch (const Error& error) {
    BOOST_TEST(error.status() == status);
    return error.what();
  }
  return "";
}

// Replaces standard output, during its lifetime, by a pipe without a reader.
struct UnreadOutput {
  UnreadOutput() : before(::dup(STDOUT_FILENO)) {
    std::array<int, 2> pipe{};
    BOOST_REQUIRE(::pipe(pipe.data()) == 0);
    ::dup2(pipe[1], STDOUT_FILENO);
    for (const int end : pipe) ::close(end);
  }
  ~UnreadOutput() {
    ::dup2(before, STDOUT_FILENO);
    ::close(before);
  }
  int before;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_question_goes_out_and_its_answer_comes_back_in_pieces, Fixture) {
  DaemonSocket socket(path);
  accept();
  socket.send("{\"method\":\"status\"}\n");
  BOOST_TEST(hear() == "{\"method\":\"status\"}\n");
  say("{\"ok\":");
  say("true}\n{\"event\":1}\n{\"ev");
  BOOST_TEST(socket.answer() == "{\"ok\":true}");
  BOOST_TEST(*socket.event() == "{\"event\":1}");
  say("ent\":2}\n");
  BOOST_TEST(*socket.event() == "{\"event\":2}");
}

BOOST_FIXTURE_TEST_CASE(an_answer_is_longer_than_one_read, Fixture) {
  DaemonSocket socket(path);
  accept();
  const std::string half(40'000, 'x');
  say(half);
  say(half + "\n");
  BOOST_TEST(socket.answer() == half + half);
}

BOOST_FIXTURE_TEST_CASE(a_daemon_that_is_not_there_is_named_with_what_to_look_at, Fixture) {
  const std::string none = folder.file("none");
  BOOST_TEST(refusal(exit_not_there, [&none] { DaemonSocket{none}; }) ==
             "portsyncd does not answer at " + none +
                 " (No such file or directory): is it running? systemctl status portsyncd");
  const std::string longer(200, 'x');
  BOOST_TEST(refusal(exit_not_there, [&longer] { DaemonSocket{longer}; }).find("(File name too long)") !=
             std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_ends_is_no_answer, Fixture) {
  DaemonSocket socket(path);
  accept();
  say("half a line");
  ::close(std::exchange(daemon, -1));
  BOOST_TEST(refusal(exit_not_there, [&socket] { (void)socket.answer(); }) == "portsyncd has closed the connection");
}

// For example the error that there are too many clients.
BOOST_FIXTURE_TEST_CASE(what_the_daemon_said_before_it_hung_up_is_heard, Fixture) {
  DaemonSocket socket(path);
  accept();
  say("{\"ok\":false}\n");
  ::close(std::exchange(daemon, -1));
  socket.send("{\"method\":\"status\"}\n");
  BOOST_TEST(socket.answer() == "{\"ok\":false}");
}

BOOST_FIXTURE_TEST_CASE(nothing_more_comes_when_the_output_has_no_reader, Fixture) {
  DaemonSocket socket(path);
  accept();
  const UnreadOutput unread;
  BOOST_TEST(!socket.event().has_value());
}
