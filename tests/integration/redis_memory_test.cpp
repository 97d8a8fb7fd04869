// SPDX-License-Identifier: Apache-2.0
// The connection to Redis while no memory is available.
#define BOOST_TEST_MODULE redis_memory
#include <poll.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <functional>
#include <new>

#include "redis/connection.hpp"
#include "support/cpp/redis_server.hpp"
#include "support/cpp/sink_records.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

namespace {

thread_local bool no_memory = false;

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  void* memory = no_memory ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

// send() has no way to fail, and this once ended the process.
BOOST_AUTO_TEST_CASE(what_cannot_be_counted_is_not_sent_and_the_connection_given_up) {
  RedisServer server;
  auto options = quick_options().connection;
  options.socket_path = server.socket_path();
  redis::Connection connection(options);
  int opened = 0;
  int answers = 0;
  std::error_code closed;
  const auto run = [&](const std::function<bool()>& until) {
    for (int i = 0; i < 500 && !until(); ++i) {
      pollfd watched{connection.fd(), POLLIN, 0};
      if (::poll(&watched, 1, 20) <= 0) continue;
      redis::Connection::Turn turn(connection);
      while (turn.more()) {
        const auto event = turn.next();
        if (event == redis::Connection::Event::none) break;
        if (event == redis::Connection::Event::opened) ++opened;
        if (event == redis::Connection::Event::reply) ++answers;
        if (event == redis::Connection::Event::closed) closed = connection.error();
      }
    }
    return until();
  };
  connection.start();
  BOOST_REQUIRE(run([&] { return opened == 1; }));
  connection.commands().add({"ECHO", std::string(65536, 'x')});  // its memory is reused
  connection.send();
  BOOST_REQUIRE(run([&] { return answers == 1; }));
  no_memory = true;
  for (int i = 0; i < 100; ++i) {
    connection.commands().add({"PING"});
    connection.send();
  }
  no_memory = false;
  BOOST_TEST(run([&] { return opened == 2; }));
  BOOST_TEST(closed == std::make_error_code(std::errc::not_enough_memory));
}
