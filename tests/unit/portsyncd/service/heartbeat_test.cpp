// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE heartbeat
#include "service/heartbeat.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <string>

#include "loop/event_loop.hpp"

using namespace portsyncd;

namespace {

const std::string heartbeat = "<!--XSUPERVISOR:BEGIN-->heartbeat<!--XSUPERVISOR:END-->";

// Replaces standard output by a pipe during its lifetime. output() reads from that pipe.
struct Fixture {
  Fixture() : before(::dup(STDOUT_FILENO)) {
    BOOST_REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
    ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
    ::dup2(pipe[1], STDOUT_FILENO);
  }
  ~Fixture() {
    ::dup2(before, STDOUT_FILENO);
    for (const int fd : {before, pipe[0], pipe[1]}) ::close(fd);
  }

  [[nodiscard]] std::string output() const {
    std::array<char, 4096> bytes{};
    const ssize_t size = ::read(pipe[0], bytes.data(), bytes.size());
    return {bytes.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
  }

  int before;
  std::array<int, 2> pipe{};
  EventLoop loop;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(one_is_written_at_once_and_another_after_each_interval, Fixture) {
  start_heartbeat(loop, 1);
  BOOST_TEST(output() == heartbeat);
  loop.on_readable(pipe[0], [this] { loop.exit(0); });
  BOOST_TEST(loop.run() == 0);
  BOOST_TEST(output() == heartbeat);
}

BOOST_FIXTURE_TEST_CASE(none_is_written_where_none_is_wanted, Fixture) {
  start_heartbeat(loop, 0);
  BOOST_TEST(output() == "");
}

// supervisord may hang, and then a blocking write would block the loop.
BOOST_FIXTURE_TEST_CASE(a_full_pipe_is_not_waited_for, Fixture) {
  ::fcntl(pipe[1], F_SETFL, O_NONBLOCK);
  const std::array<char, 4096> page{};
  while (::write(pipe[1], page.data(), page.size()) > 0) {
  }
  ::fcntl(pipe[1], F_SETFL, 0);
  start_heartbeat(loop, 1);
  BOOST_TEST(output().find("heartbeat") == std::string::npos);
}
