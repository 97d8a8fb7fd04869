// SPDX-License-Identifier: Apache-2.0
// The connection to Redis: a network that delivers late, and names that have several addresses, none, or resolve
// slowly.
#define BOOST_TEST_MODULE redis_connection
#include <boost/test/unit_test.hpp>
#include <future>
#include <portsync/redis/state_sink.hpp>

#include "redis/connection.hpp"
#include "support/cpp/own_process.hpp"
#include "support/cpp/proxy.hpp"
#include "support/cpp/redis_server.hpp"
#include "support/cpp/sink_harness.hpp"
#include "support/cpp/sink_records.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

// A connection over a network that delivers late.
namespace {

struct LateFixture {
  RedisServer server;
  DelayingProxy proxy{server.file("proxy.sock"), server.socket_path()};
  redis::StateSinkOptions options = quick_options();
  std::unique_ptr<SinkHarness> harness;

  LateFixture() {
    options.connection.socket_path = server.file("proxy.sock");
    options.connection.timeout = 150ms;
    harness = std::make_unique<SinkHarness>(redis::make_state_sink(options), std::vector<Part*>{&proxy});
    harness->start();
    BOOST_REQUIRE(harness->run_until_open());
  }
  // Writes "down" on a connection that is given up before the write reaches the server.
  void lose_a_write() {
    proxy.link(0).holding = true;
    BOOST_TEST(!harness->sink->put(port_record("Ethernet0", "down"), nullptr, ++harness->revision));
    BOOST_TEST(!harness->sink->flush());
    BOOST_REQUIRE(harness->run_until_closed());
    BOOST_TEST(proxy.link(0).to_server.find("down") != std::string::npos);
  }
  // Delivers what was held back, and waits until the server has handled it.
  void release() {
    const auto answered = proxy.link(0).answered;
    proxy.link(0).holding = false;
    BOOST_TEST(harness->run([&] { return proxy.link(0).server_gone || proxy.link(0).answered > answered; }, 1s));
    harness->run_for(50ms);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(lateness, LateFixture)

BOOST_AUTO_TEST_CASE(late_writes_of_a_dead_connection_do_not_land) {
  lose_a_write();
  BOOST_REQUIRE(harness->run_until_open(2));
  store(*harness, {{"Ethernet0", "up"}});
  release();
  BOOST_TEST(server({"HGET", "PORT_TABLE|Ethernet0", "netdev_oper_status"}) == "up");
  BOOST_TEST(server({"HGET", "PORT_TABLE", "Ethernet0"}) == "up");
  BOOST_TEST(proxy.link(0).server_gone);
}

// A failed attempt in between must not make the sink forget which connection to kill.
BOOST_AUTO_TEST_CASE(the_dead_connection_is_killed_also_after_attempts_that_failed) {
  lose_a_write();
  server.pause();
  BOOST_REQUIRE(harness->run_until_closed(3));
  server.resume();
  BOOST_REQUIRE(harness->run_until_open(2));
  store(*harness, {{"Ethernet0", "up"}});
  release();
  BOOST_TEST(server({"HGET", "PORT_TABLE|Ethernet0", "netdev_oper_status"}) == "up");
}

BOOST_AUTO_TEST_SUITE_END()

// A Connection alone, with a resolver of the test.
namespace {

struct ConnectionFixture {
  RedisServer server;
  redis::ConnectionOptions options = quick_options().connection;
  std::uint16_t port = free_tcp_port();
  std::vector<std::error_code> closed;
  int opened = 0;

  ConnectionFixture() {
    server.kill();
    server.start(true, {"--port", std::to_string(port)});
    options.host = "redis.example";
  }
  redis::Address address(std::uint16_t at) const { return redis::look_up_numeric("127.0.0.1", at).addresses.at(0); }

  bool run(redis::Connection& connection, const std::function<bool()>& until, std::chrono::milliseconds limit = 5s) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!until() && std::chrono::steady_clock::now() < end) {
      pollfd watched{connection.fd(), POLLIN, 0};
      if (::poll(&watched, 1, 20) <= 0) continue;
      redis::Connection::Turn turn(connection);
      while (turn.more()) {
        const auto event = turn.next();
        if (event == redis::Connection::Event::none) break;
        if (event == redis::Connection::Event::opened) ++opened;
        if (event == redis::Connection::Event::closed) closed.push_back(connection.error());
      }
    }
    return until();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(addresses, ConnectionFixture)

BOOST_AUTO_TEST_CASE(each_address_of_a_name_is_tried) {
  const std::uint16_t closed_port = free_tcp_port();
  redis::Connection connection(options, [&](const std::string&, std::uint16_t) {
    return redis::Resolution{{address(closed_port), address(closed_port), address(port)}, ""};
  });
  connection.start();
  BOOST_TEST(run(connection, [&] { return opened == 1; }));
  BOOST_TEST(closed.empty());
}

BOOST_AUTO_TEST_CASE(an_address_that_never_answers_does_not_hide_the_next) {
  TemporaryDirectory directory;
  const os::Descriptor silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const std::uint16_t deaf = free_tcp_port();
  const auto where = address(deaf);
  BOOST_REQUIRE(::bind(silent.get(), reinterpret_cast<const sockaddr*>(&where.storage), where.size) == 0);
  BOOST_REQUIRE(::listen(silent.get(), 5) == 0);
  options.timeout = 150ms;
  redis::Connection connection(options, [&](const std::string&, std::uint16_t) {
    return redis::Resolution{{address(deaf), address(port)}, ""};
  });
  connection.start();
  BOOST_TEST(run(connection, [&] { return opened == 1; }));
  BOOST_TEST(closed.empty());
}

BOOST_AUTO_TEST_CASE(a_name_without_addresses) {
  redis::Connection connection(options, [](const std::string&, std::uint16_t) {
    return redis::Resolution{{}, "Name or service not known"};
  });
  connection.start();
  BOOST_TEST(run(connection, [&] { return closed.size() == 2; }));
  BOOST_TEST(closed[0] == make_error_code(redis::Errc::resolve));
  BOOST_TEST(connection.statistics().last_error == "redis.example:6379: Name or service not known");
}

// Only one thread hangs, not one for each attempt. Its late result is used. Meanwhile nothing spins.
BOOST_AUTO_TEST_CASE(a_resolver_that_hangs) {
  options.timeout = 50ms;
  std::promise<void> go;
  int lookups = 0;
  auto connection = std::make_unique<redis::Connection>(
      options, [&, future = go.get_future().share()](const std::string&, std::uint16_t) {
        ++lookups;
        future.wait();
        return redis::Resolution{{address(port)}, ""};
      });
  const auto before = threads();
  connection->start();
  BOOST_REQUIRE(run(*connection, [&] { return closed.size() == 3; }));
  BOOST_TEST(closed[0] == make_error_code(redis::Errc::timeout));
  BOOST_TEST(threads() == before + 1);
  go.set_value();
  BOOST_TEST(run(*connection, [&] { return opened == 1; }));
  BOOST_TEST(lookups == 1);
}

BOOST_AUTO_TEST_CASE(a_result_between_two_attempts_does_not_keep_the_descriptor_readable) {
  options.timeout = 30ms;
  options.retry_interval = 400ms;
  std::promise<void> go;
  redis::Connection connection(options, [&, future = go.get_future().share()](const std::string&, std::uint16_t) {
    future.wait();
    return redis::Resolution{{address(port)}, ""};
  });
  connection.start();
  BOOST_REQUIRE(run(connection, [&] { return closed.size() == 1; }));
  go.set_value();
  int wakeups = 0;
  const auto end = std::chrono::steady_clock::now() + 200ms;
  while (std::chrono::steady_clock::now() < end) {
    pollfd watched{connection.fd(), POLLIN, 0};
    if (::poll(&watched, 1, 20) <= 0) continue;
    ++wakeups;
    redis::Connection::Turn turn(connection);
    while (turn.more() && turn.next() != redis::Connection::Event::none) {
    }
  }
  BOOST_TEST(wakeups <= 3);
  BOOST_TEST(run(connection, [&] { return opened == 1; }));
}

BOOST_AUTO_TEST_CASE(destroying_it_does_not_wait_for_the_resolver) {
  options.timeout = 30ms;
  std::promise<void> go;
  auto finished = std::make_shared<std::promise<void>>();
  const auto before = open_descriptors();
  {
    redis::Connection connection(options,
                                 [finished, future = go.get_future().share()](const std::string&, std::uint16_t) {
                                   future.wait();
                                   finished->set_value();
                                   return redis::Resolution{};
                                 });
    connection.start();
    BOOST_REQUIRE(run(connection, [&] { return closed.size() == 1; }));
  }
  go.set_value();
  finished->get_future().wait();
  for (int i = 0; i < 500 && open_descriptors() > before; ++i) std::this_thread::sleep_for(1ms);
  BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_SUITE_END()
