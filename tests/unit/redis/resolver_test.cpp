// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_resolver
#include "redis/resolver.hpp"

#include <netinet/in.h>
#include <poll.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <future>
#include <stdexcept>

using namespace portsync::redis;

namespace {

bool readable(int fd, int milliseconds) {
  pollfd waited{fd, POLLIN, 0};
  return ::poll(&waited, 1, milliseconds) == 1;
}

Resolution one_address() {
  Resolution resolution;
  resolution.addresses.resize(1);
  return resolution;
}

}  // namespace

BOOST_AUTO_TEST_CASE(addresses_are_known_without_asking_anybody) {
  const Resolution v4 = look_up_numeric("127.0.0.1", 6379);
  BOOST_REQUIRE(v4.addresses.size() == 1U);
  BOOST_TEST(v4.addresses[0].storage.ss_family == AF_INET);
  BOOST_TEST(ntohs(reinterpret_cast<const sockaddr_in&>(v4.addresses[0].storage).sin_port) == 6379);
  const Resolution v6 = look_up_numeric("::1", 6379);
  BOOST_REQUIRE(v6.addresses.size() == 1U);
  BOOST_TEST(v6.addresses[0].storage.ss_family == AF_INET6);
}

BOOST_AUTO_TEST_CASE(a_name_is_not_an_address) {
  BOOST_TEST(look_up_numeric("localhost", 6379).addresses.empty());
  BOOST_TEST(look_up_numeric("", 6379).error != "");
}

BOOST_AUTO_TEST_CASE(a_result_makes_the_descriptor_readable) {
  std::string asked;  // only the main thread may use Boost.Test
  Resolver resolver([&](const std::string& host, std::uint16_t port) {
    asked = host + ":" + std::to_string(port);
    return one_address();
  });
  BOOST_TEST(resolver.fd() == -1);
  resolver.start("redis.example", 1234);
  BOOST_TEST(readable(resolver.fd(), 5000));
  BOOST_TEST(resolver.finished());
  BOOST_TEST(resolver.take().addresses.size() == 1U);
  BOOST_TEST(asked == "redis.example:1234");
  BOOST_TEST(!resolver.running());
  BOOST_TEST(!resolver.finished());
  BOOST_TEST(resolver.fd() == -1);
}

BOOST_AUTO_TEST_CASE(nothing_can_be_taken_before_it_is_there) {
  std::promise<void> go;
  Resolver resolver([future = go.get_future().share()](const std::string&, std::uint16_t) {
    future.wait();
    return one_address();
  });
  resolver.start("x", 1);
  BOOST_TEST(!resolver.finished());
  BOOST_TEST(resolver.running());
  go.set_value();
  BOOST_TEST(readable(resolver.fd(), 5000));
  BOOST_TEST(resolver.finished());
}

BOOST_AUTO_TEST_CASE(a_lookup_that_throws_is_one_that_finds_nothing) {
  Resolver resolver([](const std::string&, std::uint16_t) -> Resolution { throw std::runtime_error("no memory"); });
  resolver.start("x", 1);
  BOOST_TEST(readable(resolver.fd(), 5000));
  BOOST_REQUIRE(resolver.finished());
  BOOST_TEST(resolver.take().error == "no memory");
}

// A lookup that hangs in DNS must not delay the end of the program. Its thread must survive the Resolver's destruction.
BOOST_AUTO_TEST_CASE(destroying_it_does_not_wait_for_the_lookup) {
  std::promise<void> go;
  auto finished = std::make_shared<std::promise<void>>();
  auto done = finished->get_future();
  {
    Resolver resolver([future = go.get_future().share(), finished](const std::string&, std::uint16_t) {
      future.wait();
      finished->set_value();
      return one_address();
    });
    resolver.start("x", 1);
  }
  BOOST_CHECK(done.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  go.set_value();
  BOOST_CHECK(done.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
}

BOOST_AUTO_TEST_CASE(the_thread_takes_no_signals) {
  std::promise<bool> blocked;
  auto result = blocked.get_future();
  Resolver resolver([&blocked](const std::string&, std::uint16_t) {
    sigset_t set;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &set);
    blocked.set_value(::sigismember(&set, SIGTERM) == 1 && ::sigismember(&set, SIGUSR1) == 1);
    return one_address();
  });
  resolver.start("x", 1);
  BOOST_TEST(result.get());
  sigset_t mine;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mine);
  BOOST_TEST(::sigismember(&mine, SIGTERM) == 0);
}
