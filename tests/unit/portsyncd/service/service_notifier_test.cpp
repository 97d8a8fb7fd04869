// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE service_notifier
#include "service/service_notifier.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "support/cpp/few_descriptors.hpp"
#include "support/cpp/temporary_folder.hpp"

using namespace portsyncd;

namespace {

struct Environment {
  ~Environment() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  static void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }
};

// systemd's end of the protocol of sd_notify(3).
struct Fixture : Environment {
  Fixture() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    BOOST_REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    set("NOTIFY_SOCKET", path);
  }
  ~Fixture() { ::close(fd); }

  // Returns the next message; "" if there is none.
  [[nodiscard]] std::string next() const {
    std::array<char, 4096> bytes{};
    const ssize_t size = ::recv(fd, bytes.data(), bytes.size(), 0);
    return {bytes.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
  }
  // Sends messages until the socket is full. Returns how many messages it took.
  int fill(ServiceNotifier& notifier) const {
    for (int sent = 0; sent < 100'000; ++sent) {
      notifier.status("full " + std::to_string(sent));
      if (notifier.has_unsent()) return sent;
    }
    BOOST_FAIL("the socket is never full");
    return 0;
  }

  portsync::test::TemporaryFolder folder;
  std::string path = folder.file("notify");
  int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(without_a_socket_nothing_is_sent_or_kept, Environment) {
  for (const char* value : {"", "/", "relative", "vsock:2:1234"}) {
    set("NOTIFY_SOCKET", value);
    ServiceNotifier notifier;
    BOOST_TEST(!notifier.managed());
    notifier.ready("Healthy");
    notifier.reloading();
    notifier.stopping();
    notifier.ping_watchdog();
    BOOST_TEST(!notifier.has_unsent());
  }
  set("NOTIFY_SOCKET", "/" + std::string(200, 'x'));
  BOOST_TEST(!ServiceNotifier().managed());
}

BOOST_FIXTURE_TEST_CASE(each_message_has_systemd_s_words, Fixture) {
  ServiceNotifier notifier;
  BOOST_TEST(notifier.managed());
  notifier.status("Degraded: waiting for Redis");
  BOOST_TEST(next() == "STATUS=Degraded: waiting for Redis");
  notifier.ready("Healthy");
  BOOST_TEST(next() == "READY=1\nSTATUS=Healthy");
  notifier.ping_watchdog();
  BOOST_TEST(next() == "WATCHDOG=1");
  notifier.stopping();
  BOOST_TEST(next() == "STOPPING=1");
  notifier.flush();
  BOOST_TEST(next() == "");
}

BOOST_FIXTURE_TEST_CASE(a_reload_says_when_it_began, Fixture) {
  ServiceNotifier notifier;
  const auto now = [] {
    const auto time = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  };
  const auto before = now();
  notifier.reloading();
  const std::string message = next();
  const std::string begin = "RELOADING=1\nMONOTONIC_USEC=";
  BOOST_REQUIRE(message.starts_with(begin));
  const long long time = std::stoll(message.substr(begin.size()));
  BOOST_TEST(time >= before);
  BOOST_TEST(time <= now());
}

BOOST_FIXTURE_TEST_CASE(a_socket_in_the_abstract_namespace_begins_with_an_at, Environment) {
  const std::string name = "@portsync-test-" + std::to_string(::getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.c_str() + 1, name.size() - 1);
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  BOOST_REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  set("NOTIFY_SOCKET", name);
  ServiceNotifier().status("Healthy");
  std::array<char, 64> bytes{};
  BOOST_TEST(::recv(fd, bytes.data(), bytes.size(), 0) == 14);
  BOOST_TEST(std::string(bytes.data()) == "STATUS=Healthy");
  ::close(fd);
}

BOOST_FIXTURE_TEST_CASE(what_did_not_go_through_is_kept_and_the_newest_status_wins, Fixture) {
  ServiceNotifier notifier;
  const int sent = fill(notifier);
  BOOST_TEST(sent > 0);
  notifier.ready("older");
  notifier.status("newest");
  notifier.stopping();
  notifier.ping_watchdog();  // not kept: a late ping would be wrong
  BOOST_TEST(notifier.has_unsent());
  for (int i = 0; i < sent; ++i) BOOST_REQUIRE(next() == "STATUS=full " + std::to_string(i));
  BOOST_TEST(next() == "");
  notifier.flush();
  BOOST_TEST(!notifier.has_unsent());
  BOOST_TEST(next() == "READY=1\nSTOPPING=1\nSTATUS=newest");
  notifier.flush();
  BOOST_TEST(next() == "");
}

BOOST_FIXTURE_TEST_CASE(without_a_descriptor_the_state_is_kept_until_there_is_one, Fixture) {
  std::optional<ServiceNotifier> notifier;
  {
    const portsync::test::FewDescriptors none(0);
    notifier.emplace();
    notifier->ready("Healthy");
    notifier->ping_watchdog();
    BOOST_TEST(notifier->has_unsent());
  }
  notifier->flush();
  BOOST_TEST(next() == "READY=1\nSTATUS=Healthy");
  notifier->ping_watchdog();
  BOOST_TEST(next() == "WATCHDOG=1");
}

BOOST_FIXTURE_TEST_CASE(a_socket_that_is_gone_is_not_waited_for, Fixture) {
  ServiceNotifier notifier;
  ::unlink(path.c_str());
  notifier.ready("Healthy");
  BOOST_TEST(!notifier.has_unsent());
}

BOOST_FIXTURE_TEST_CASE(the_watchdog_is_the_unit_s_and_of_this_process, Environment) {
  using namespace std::chrono_literals;
  BOOST_TEST(!ServiceNotifier().watchdog_timeout().has_value());
  set("WATCHDOG_USEC", "30000000");
  BOOST_TEST((ServiceNotifier().watchdog_timeout() == 30s));
  set("WATCHDOG_PID", std::to_string(::getpid()));
  BOOST_TEST((ServiceNotifier().watchdog_timeout() == 30s));
  set("WATCHDOG_PID", std::to_string(::getpid() + 1));
  BOOST_TEST(!ServiceNotifier().watchdog_timeout().has_value());
  ::unsetenv("WATCHDOG_PID");
  for (const char* wrong : {"", "0", "-1", "x", "1x"}) {
    set("WATCHDOG_USEC", wrong);
    BOOST_TEST(!ServiceNotifier().watchdog_timeout().has_value(), wrong);
  }
}
