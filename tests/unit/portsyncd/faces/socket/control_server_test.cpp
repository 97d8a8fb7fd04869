// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE control_server
#include "faces/socket/control_server.hpp"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "faces/socket/peer.hpp"
#include "support/cpp/control_fixture.hpp"
#include "support/cpp/temporary_folder.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace portsyncd;
using namespace std::chrono_literals;

namespace {

const std::string status_request = R"({"method":"status"})";

using Attach = int (*)(int, const sockaddr*, socklen_t);

// Returns a socket that is connected or bound; -1 on an error.
int unix_socket(const std::string& path, Attach attach) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  BOOST_REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (attach(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

// A client that waits for a minute at most.
struct Client {
  explicit Client(const std::string& path) : fd(unix_socket(path, ::connect)) {
    BOOST_REQUIRE(fd >= 0);
    const timeval patience{60, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::close(fd); }
  // A server with too many clients replies and closes before it reads, so that the send may find no reader.
  void say(const std::string& text) const {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    BOOST_REQUIRE((sent == static_cast<ssize_t>(text.size()) || (sent < 0 && errno == EPIPE)));
  }
  void end() const { ::shutdown(fd, SHUT_WR); }
  // Returns the next line; "" if the server has closed the connection.
  std::string line() {
    for (;;) {
      if (const std::size_t end = input.find('\n'); end != std::string::npos) {
        std::string found = input.substr(0, end);
        input.erase(0, end + 1);
        return found;
      }
      std::array<char, 65536> bytes{};
      const ssize_t size = ::recv(fd, bytes.data(), bytes.size(), 0);
      if (size < 0 && errno == ECONNRESET) return "";
      BOOST_REQUIRE(size >= 0);
      if (size == 0) return "";
      input.append(bytes.data(), static_cast<std::size_t>(size));
    }
  }
  std::string ask(const std::string& request) {
    say(request + "\n");
    return line();
  }

  int fd;
  std::string input;
};

// Runs the server in a loop of the main thread. The test's body is a client in another thread.
struct Fixture : ControlFixture {
  explicit Fixture(int ports = 256) {
    snapshot(ports);
    loop.after(100s, [this] { loop.exit(99); });
    loop.on_readable(wake, [this] {
      std::uint64_t count = 0;
      (void)!::read(wake, &count, sizeof count);
      std::exchange(posted, {})();
    });
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;
  ~Fixture() { ::close(wake); }

  void serve(const std::function<void()>& body, ControlServer::Options options = {}) {
    server = std::make_unique<ControlServer>(loop, control, path, options);
    auto done = std::async(std::launch::async, [&] {
      try {
        body();
      } catch (...) {
        in_loop([this] { loop.exit(1); });
        throw;
      }
      in_loop([this] { loop.exit(1); });
    });
    const int status = loop.run();
    done.get();  // wait here, because only one thread at a time may use Boost.Test
    BOOST_TEST(status == 1);
    server.reset();
  }
  void in_loop(std::function<void()> function) {
    std::promise<void> done;
    posted = [&] {
      function();
      done.set_value();
    };
    const std::uint64_t one = 1;
    const bool woken = ::write(wake, &one, sizeof one) == sizeof one;
    if (woken) done.get_future().wait();
    BOOST_REQUIRE(woken);  // only now: the function may use Boost.Test, too
  }
  void change_ports(int count) {
    const PortRecord record{"Ethernet0", {{"oper", "up"}}};
    SyncEvent event;
    event.kind = SyncEvent::Kind::row_written;
    event.port = record.port;
    event.record = &record;
    in_loop([&] {
      for (int i = 0; i < count; ++i) control.on_event(event);
    });
  }

  TemporaryFolder folder;
  std::string path = folder.path / "control.sock";
  EventLoop loop;
  int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::function<void()> posted;
  std::unique_ptr<ControlServer> server;
};

struct ManyPorts : Fixture {
  ManyPorts() : Fixture(4096) {}
};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

bool has(const std::string& text, const std::string& part) {
  return count(text, part) > 0;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(every_method_is_answered, Fixture) {
  serve([this] {
    Client client(path);
    BOOST_TEST(has(client.ask(status_request), R"("ports":256)"));
    BOOST_TEST(has(client.ask(R"({"method":"port","name":"Ethernet7"})"), R"("name":"Ethernet7","ifindex":8)"));
    BOOST_TEST(has(client.ask(R"({"method":"port","name":"x"})"), R"("kind":"no_such_port")"));
    BOOST_TEST(count(client.ask(R"({"method":"ports","pattern":"Ethernet1?"})"), R"("name")") == 10U);
    BOOST_TEST(client.ask(R"({"method":"ports","pattern":"x"})") == R"({"ok":true,"result":[]})");
    BOOST_TEST(has(client.ask(R"({"method":"statistics"})"), R"("events":256)"));
    BOOST_TEST(has(client.ask(R"({"method":"health"})"), R"("verdict":"Degraded","reason":"starting","history":[])"));
    BOOST_TEST(client.ask(R"({"method":"resync"})") == R"({"ok":true,"result":{}})");
    BOOST_TEST(client.ask(R"({"method":"audit"})") == R"({"ok":true,"result":{}})");
    BOOST_TEST(has(client.ask(R"({"method":"reload"})"), "nothing has changed: why"));
    BOOST_TEST(has(client.ask(R"({"method":"log_level","level":"loud"})"), "invalid_argument"));
    BOOST_TEST(has(client.ask(R"({"method":"explode"})"), "no such method"));
    BOOST_TEST(has(client.ask(status_request), R"("ok":true)"));
  });
  BOOST_TEST(source.resyncs == 2);
}

BOOST_FIXTURE_TEST_CASE(requests_may_come_at_once_and_answers_come_in_their_order, ManyPorts) {
  serve([this] {
    Client client(path);
    client.say(R"({"method":"ports"})"
               "\n"
               R"({"method":"port","name":"Ethernet1"})"
               "\n" +
               status_request + "\n");
    client.end();  // as `echo … | nc -N` does
    const std::string ports = client.line();
    BOOST_TEST(count(ports, R"("ifindex")") == 4096U);
    BOOST_TEST(ports.ends_with("]}"));
    BOOST_TEST(has(client.line(), R"("result":{"name":"Ethernet1")"));
    BOOST_TEST(has(client.line(), R"("log_level")"));
    BOOST_TEST(client.line().empty());
  });
}

BOOST_FIXTURE_TEST_CASE(garbage_is_answered_and_the_connection_closed, Fixture) {
  serve([this] {
    for (const std::string garbage : {"GET / HTTP/1.1\n", "\n", "{\"method\":\"\xff\"}\n"}) {
      Client client(path);
      client.say(garbage + status_request + "\n");
      BOOST_TEST(has(client.line(), "invalid_argument"));
      BOOST_TEST(client.line().empty());
    }
  });
}

BOOST_FIXTURE_TEST_CASE(a_request_has_a_longest_length, Fixture) {
  serve([this] {
    Client client(path);
    BOOST_TEST(has(client.ask(status_request + std::string(4096 - status_request.size(), ' ')), R"("ok":true)"));
    const std::string endless(100'000, ' ');
    (void)::send(client.fd, endless.data(), endless.size(), MSG_NOSIGNAL);  // the server need not read all of it
    BOOST_TEST(has(client.line(), "at most 4096 bytes"));
    BOOST_TEST(client.line().empty());
  });
}

BOOST_FIXTURE_TEST_CASE(sixteen_clients_are_served_and_one_more_is_refused_with_a_reason, Fixture) {
  serve([this] {
    std::vector<std::unique_ptr<Client>> clients;
    for (std::size_t i = 0; i < ControlServer::most_clients; ++i) {
      clients.push_back(std::make_unique<Client>(path));
      BOOST_TEST(has(clients.back()->ask(status_request), R"("ok":true)"));
    }
    Client late(path);
    BOOST_TEST(has(late.line(), "too many clients"));
    BOOST_TEST(late.line().empty());
    clients.pop_back();
    std::string answer;
    for (int i = 0; i < 1000 && !has(answer, R"("ok":true)"); ++i) {  // until the server has noticed the close
      Client again(path);
      answer = again.ask(status_request);
    }
    BOOST_TEST(has(answer, R"("ok":true)"));
  });
}

BOOST_FIXTURE_TEST_CASE(a_monitor_that_does_not_read_loses_events_and_gets_their_number, Fixture) {
  serve([this] {
    Client client(path);
    BOOST_TEST(client.ask(R"({"method":"monitor"})") == R"({"ok":true,"result":{}})");
    Client another(path);
    for (int i = 0; i < 20; ++i) {
      change_ports(1000);
      BOOST_TEST(has(another.ask(status_request), R"("ok":true)"));
    }
    std::uint64_t received = 0;
    std::string line;
    while (!has(line = client.line(), R"("event":"dropped")")) ++received;
    const std::uint64_t dropped = std::stoull(line.substr(line.find(R"("dropped":)") + 10));
    BOOST_TEST(received + dropped == 20'000U);
    BOOST_TEST(received < 4000U);
    change_ports(1);
    BOOST_TEST(has(client.line(), R"("event":"port_changed")"));
  });
}

BOOST_FIXTURE_TEST_CASE(what_a_monitor_says_does_not_count, Fixture) {
  serve([this] {
    Client client(path);
    (void)client.ask(R"({"method":"monitor"})");
    client.say(status_request + "\n" + std::string(10'000, 'x'));
    change_ports(1);
    BOOST_TEST(has(client.line(), R"("event":"port_changed")"));
  });
}

// It has sent more than is read at once, and no further event comes for a descriptor that has hung up.
BOOST_FIXTURE_TEST_CASE(a_monitor_that_says_much_and_goes_is_forgotten, Fixture) {
  serve([this] {
    std::vector<std::unique_ptr<Client>> monitors;
    for (std::size_t i = 0; i < ControlServer::most_clients; ++i) {
      monitors.push_back(std::make_unique<Client>(path));
      (void)monitors.back()->ask(R"({"method":"monitor"})");
    }
    in_loop([&monitors] {  // at one turn of the loop
      for (const auto& client : monitors) client->say(std::string(10'000, 'x'));
      monitors.clear();
    });
    std::string answer;
    for (int i = 0; i < 1000 && !has(answer, R"("ok":true)"); ++i) answer = Client(path).ask(status_request);
    BOOST_TEST(has(answer, R"("ok":true)"));
  });
}

BOOST_FIXTURE_TEST_CASE(an_idle_client_is_closed_and_a_monitor_is_not, Fixture) {
  serve(
      [this] {
        Client client(path);
        Client monitor_client(path);
        (void)monitor_client.ask(R"({"method":"monitor"})");
        client.say("{");  // an incomplete request
        BOOST_TEST(client.line().empty());
        std::this_thread::sleep_for(100ms);
        change_ports(1);
        BOOST_TEST(has(monitor_client.line(), R"("event":"port_changed")"));
      },
      {50ms});
}

BOOST_FIXTURE_TEST_CASE(a_client_that_goes_in_the_middle_of_an_answer_is_forgotten, Fixture) {
  serve([this] {
    for (int i = 0; i < 50; ++i) {
      Client client(path);
      client.say(R"({"method":"ports"})"
                 "\n");
    }
    std::string answer;
    for (int i = 0; i < 1000 && !has(answer, R"("ok":true)"); ++i) answer = Client(path).ask(status_request);
    BOOST_TEST(has(answer, R"("ok":true)"));
  });
}

BOOST_AUTO_TEST_CASE(the_socket_is_open_to_every_user_and_goes_with_its_owner) {
  const TemporaryFolder folder;
  const std::string path = folder.path / "s";
  {
    const mode_t mask = ::umask(0077);
    const ControlSocket socket(path);
    ::umask(mask);
    struct stat status {};
    BOOST_REQUIRE(::stat(path.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777U) == 0666U);
  }
  BOOST_TEST(::access(path.c_str(), F_OK) != 0);
}

BOOST_AUTO_TEST_CASE(a_stale_socket_is_replaced_and_a_live_one_is_not) {
  const TemporaryFolder folder;
  const std::string path = folder.path / "s";
  std::optional<ControlSocket> other(path);
  BOOST_CHECK_EXCEPTION(ControlSocket{path}, std::system_error,
                        [](const auto& error) { return error.code() == std::errc::address_in_use; });
  BOOST_TEST(::access(path.c_str(), F_OK) == 0);
  other.reset();
  ::close(unix_socket(path, ::bind));  // the file remains, as after a kill
  BOOST_REQUIRE(::access(path.c_str(), F_OK) == 0);
  const ControlSocket socket(path);
  const int client = unix_socket(path, ::connect);
  BOOST_TEST(client >= 0);
  ::close(client);
}

BOOST_AUTO_TEST_CASE(what_is_no_socket_is_left_alone) {
  const TemporaryFolder folder;
  const std::string path = folder.write("s", "precious");
  BOOST_CHECK_THROW(ControlSocket{path}, std::system_error);
  BOOST_TEST(::access(path.c_str(), F_OK) == 0);
  BOOST_CHECK_THROW(ControlSocket{folder.path / std::string(200, 'x')}, std::system_error);
}

BOOST_AUTO_TEST_CASE(another_ones_file_is_not_removed) {
  const TemporaryFolder folder;
  const std::string path = folder.path / "s";
  {
    const ControlSocket socket(path);
    (void)folder.write("t", "another's");
    std::filesystem::rename(folder.path / "t", path);
  }
  BOOST_TEST(::access(path.c_str(), F_OK) == 0);
}

BOOST_AUTO_TEST_CASE(root_the_daemon_itself_and_its_group_may_change_something) {
  BOOST_TEST(may_change({0, {}}, 100, 200));
  BOOST_TEST(may_change({100, {}}, 100, 200));
  BOOST_TEST(may_change({300, {5, 200}}, 100, 200));
  BOOST_TEST(!may_change({300, {5, 100}}, 100, 200));
  BOOST_TEST(!may_change({}, 100, 200));
  std::array<int, 2> ends{};
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  const Peer peer = peer_of(ends[0]);
  BOOST_TEST(peer.uid == ::getuid());
  BOOST_TEST((std::count(peer.groups.begin(), peer.groups.end(), ::getgid()) >= 1));
  BOOST_TEST(peer_of(-1).uid == static_cast<uid_t>(-1));
  ::close(ends[0]);
  ::close(ends[1]);
}
