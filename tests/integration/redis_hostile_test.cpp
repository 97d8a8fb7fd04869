// SPDX-License-Identifier: Apache-2.0
// The Redis sink and its connection against what a real redis-server does not do on demand: silence, garbage,
// half-closed sockets, answers that do not fit, and a network that delivers late.
#define BOOST_TEST_MODULE redis_hostile
#include <boost/test/unit_test.hpp>
#include <future>
#include <portsync/redis/state_sink.hpp>
#include <random>

#include "redis/connection.hpp"
#include "support/cpp/fake_redis.hpp"
#include "support/cpp/proxy.hpp"
#include "support/cpp/redis_server.hpp"
#include "support/cpp/sink_harness.hpp"
#include "support/cpp/sink_records.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

namespace {

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

std::size_t threads() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

struct Fixture {
  TemporaryDirectory directory;
  FakeRedis server{directory.file("fake.sock")};
  redis::StateSinkOptions options = quick_options();
  std::unique_ptr<SinkHarness> harness;

  Fixture() {
    options.connection.socket_path = directory.file("fake.sock");
    options.connection.timeout = 150ms;
  }
  SinkHarness& begin() {
    harness = std::make_unique<SinkHarness>(redis::make_state_sink(options), std::vector<Part*>{&server});
    harness->start();
    return *harness;
  }
  SinkHarness& open() {
    begin();
    BOOST_REQUIRE(harness->run_until_open());
    return *harness;
  }
  void put(const std::string& port = "Ethernet0") {
    BOOST_TEST(!harness->sink->put(port_record(port, "up"), nullptr, ++harness->revision));
  }
  // Answers this command with that text, all others as usual.
  void answer(const std::string& beginning, const std::string& text) {
    server.script = [=](const std::string& command) -> std::optional<std::string> {
      if (command.starts_with(beginning)) return text;
      return std::nullopt;
    };
  }
  // The connection is given up for this, and works again with a server that has come to its senses.
  void check_given_up_for(redis::Errc code, int times = 1) {
    BOOST_REQUIRE(harness->run_until_closed(times));
    BOOST_TEST(harness->observer.closed.front() == make_error_code(code));
    server.script = nullptr;
    server.greeting.clear();
    server.deaf = false;
    const int opens = harness->observer.opens;
    BOOST_REQUIRE(harness->run_until_open(opens + 1));
    const auto before = harness->observer.results.size();
    put("Ethernet4");
    BOOST_TEST(!harness->sink->flush());
    BOOST_REQUIRE(harness->run_until_results(before + 1));
    BOOST_TEST(!harness->observer.results.back().error);
    BOOST_TEST(harness->sink->room() == 512U);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(silence, Fixture)

BOOST_AUTO_TEST_CASE(a_server_that_accepts_and_never_answers) {
  server.deaf = true;
  begin();
  check_given_up_for(redis::Errc::timeout, 2);
  BOOST_TEST(harness->observer.opens == 1);
  BOOST_TEST(harness->sink->statistics().timeouts >= 2U);
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_accept) {
  server.accepting = false;
  begin();
  BOOST_REQUIRE(harness->run_until_closed(2));
  BOOST_TEST(harness->observer.closed[0] == make_error_code(redis::Errc::timeout));
  server.accepting = true;
  BOOST_TEST(harness->run_until_open());
}

BOOST_AUTO_TEST_CASE(a_server_that_stops_in_the_middle_of_the_handshake) {
  answer("INFO", "");
  begin();
  check_given_up_for(redis::Errc::timeout);
}

BOOST_AUTO_TEST_CASE(a_server_that_stops_in_the_middle_of_an_answer) {
  open();
  answer("EXEC", "*2\r\n:1\r\n");
  put();
  BOOST_TEST(!harness->sink->flush());
  check_given_up_for(redis::Errc::timeout);
}

BOOST_AUTO_TEST_CASE(too_few_answers_are_a_timeout) {
  open();
  answer("EXEC", "");
  put();
  BOOST_TEST(!harness->sink->flush());
  check_given_up_for(redis::Errc::timeout);
}

// The oldest command counts, however much the server says to others.
BOOST_AUTO_TEST_CASE(a_read_that_never_ends_its_answer_is_a_timeout) {
  open();
  answer("SCAN", "");
  BOOST_TEST(!harness->sink->read_back(Scope::all, {}));
  check_given_up_for(redis::Errc::timeout);
  BOOST_TEST(harness->observer.read_backs == 0);  // on_closed() ends it
  BOOST_TEST(harness->read_back());
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_read_cannot_make_us_block) {
  open();
  server.deaf = true;
  const auto since = std::chrono::steady_clock::now();
  for (int i = 0; i < 512; ++i) put("Ethernet" + std::to_string(i) + std::string(4000, 'x'));
  BOOST_TEST(!harness->sink->flush());
  BOOST_TEST((std::chrono::steady_clock::now() - since < 1s));
  check_given_up_for(redis::Errc::timeout);
}

BOOST_AUTO_TEST_CASE(a_server_that_reads_late_gets_everything_in_order) {
  options.connection.timeout = 3s;
  open();
  server.deaf = true;
  for (int i = 0; i < 512; ++i) put("Ethernet" + std::to_string(i) + std::string(4000, 'x'));
  BOOST_TEST(!harness->sink->flush());
  harness->run_for(50ms);
  BOOST_TEST(harness->wakeups < 40U);  // waiting for room to write is no busy loop
  server.deaf = false;
  BOOST_REQUIRE(harness->run_until_results(512));
  BOOST_TEST(harness->observer.closes == 0);
  for (std::size_t i = 0; i < 512; ++i) BOOST_TEST(harness->observer.results[i].revision == i + 1);
  const auto before = harness->wakeups;
  harness->run_for(100ms);
  BOOST_TEST(harness->wakeups - before <= 2U);  // nor is having none to wait for
}

BOOST_AUTO_TEST_CASE(a_half_closed_socket) {
  open();
  put();
  BOOST_TEST(!harness->sink->flush());
  server.half_close();
  check_given_up_for(redis::Errc::end_of_file);
}

BOOST_AUTO_TEST_CASE(answers_before_the_end_of_file_count) {
  open();
  put();
  BOOST_TEST(!harness->sink->flush());
  server.step();
  server.half_close();
  BOOST_REQUIRE(harness->run_until_closed());
  BOOST_TEST(harness->observer.results.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_server_that_closes_what_it_accepts) {
  server.hanging_up = true;
  begin();
  BOOST_REQUIRE(harness->run_until_closed(3));
  BOOST_TEST(harness->observer.opens == 0);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(garbage, Fixture)

BOOST_AUTO_TEST_CASE(another_protocol) {
  server.greeting = "HTTP/1.1 400 Bad Request\r\n\r\n";
  begin();
  check_given_up_for(redis::Errc::protocol);
}

BOOST_AUTO_TEST_CASE(random_bytes) {
  std::minstd_rand random(7);
  std::uniform_int_distribution<int> byte(0, 255);
  begin();
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (int i = 0; i < 100; ++i) text += static_cast<char>(byte(random));
    server.greeting = text;
    const int closes = harness->observer.closes;
    BOOST_REQUIRE(harness->run_until_closed(closes + 1));
    BOOST_TEST(harness->observer.opens == 0);
  }
  server.greeting.clear();
  BOOST_TEST(harness->run_until_open());
}

// Each of a well-formed server's answers, with one byte changed, at any moment.
BOOST_AUTO_TEST_CASE(answers_with_a_byte_changed) {
  std::minstd_rand random(11);
  const std::vector<std::string> commands{"SELECT", "CLIENT SETNAME", "CLIENT ID", "INFO", "MULTI",
                                          "HSET",   "EXEC",           "HGETALL",   "SCAN", "HMGET"};
  options.connection.timeout = 20ms;
  options.connection.retry_interval = 1ms;
  begin();
  harness->observer.when_open = [&] {
    put();
    (void)harness->sink->flush();
    (void)harness->sink->read_back(Scope::all, {});
  };
  for (int round = 0; round < 200; ++round) {
    std::string text = array({bulk("0"), bulks({"PORT_TABLE|Ethernet0"})});
    text[random() % text.size()] = static_cast<char>(random() % 256);
    const std::string command = commands[random() % commands.size()];
    answer(command, text);
    const int closes = harness->observer.closes;
    const int read_backs = harness->observer.read_backs;
    BOOST_REQUIRE(
        harness->run([&] { return harness->observer.closes > closes || harness->observer.read_backs > read_backs; }));
    server.close();
  }
  harness->observer.when_open = nullptr;
  server.script = nullptr;
  const int opens = harness->observer.opens;
  BOOST_TEST(harness->run_until_open(opens + 1));
}

BOOST_AUTO_TEST_CASE(sizes_that_are_too_large) {
  for (const char* text : {"*2147483647\r\n", "*1048577\r\n", "*-2\r\n", "$-2\r\n", "$99999999999999999999\r\n",
                           "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"}) {
    BOOST_TEST_CONTEXT(text) {
      server.script = nullptr;
      open();
      answer("EXEC", text);
      put();
      BOOST_TEST(!harness->sink->flush());
      check_given_up_for(redis::Errc::protocol);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_bulk_string_that_never_ends) {
  options.connection.timeout = 100s;
  open();
  answer("EXEC", "$1000000000\r\n");
  put();
  BOOST_TEST(!harness->sink->flush());
  harness->run_for(30ms);
  const std::string chunk(65536, 'x');
  BOOST_REQUIRE(harness->run(
      [&] {
        server.say(chunk);
        return harness->observer.closes > 0;
      },
      100s));  // 64 MiB are copied often, and with sanitizers slowly
  BOOST_TEST(harness->observer.closed.front() == make_error_code(redis::Errc::protocol));
}

BOOST_AUTO_TEST_CASE(answers_of_a_wrong_type) {
  const std::string integer = ":1\r\n";
  const std::vector<std::pair<std::string, std::string>> wrong{{"SELECT", integer},
                                                               {"CLIENT SETNAME", nil},
                                                               {"CLIENT ID", ok},
                                                               {"INFO", integer},
                                                               {"MULTI", integer},
                                                               {"HSET", integer},
                                                               {"EXEC", ok},
                                                               {"EXEC", nil},
                                                               {"EXEC", array({integer})},
                                                               {"EXEC", bulks({"a"})},
                                                               {"EXEC", array({nil, nil})},
                                                               {"EXEC", "*0\r\n"}};
  for (const auto& [command, text] : wrong) {
    BOOST_TEST_CONTEXT(command << " -> " << text) {
      server.script = nullptr;
      const bool in_handshake = command == "SELECT" || command.starts_with("CLIENT") || command == "INFO";
      if (in_handshake) {
        answer(command, text);
        begin();
      } else {
        open();
        answer(command, text);
        put();
        BOOST_TEST(!harness->sink->flush());
      }
      check_given_up_for(redis::Errc::protocol);
    }
  }
}

BOOST_AUTO_TEST_CASE(answers_of_a_wrong_type_while_reading) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"HGETALL", ok}, {"HGETALL", bulks({"a"})}, {"SCAN", ok}, {"SCAN", bulks({"0", "x"})}, {"SCAN", "*0\r\n"},
      {"HMGET", ok},   {"HMGET", bulks({"a"})}};
  for (const auto& [command, text] : wrong) {
    BOOST_TEST_CONTEXT(command << " -> " << text) {
      server.script = nullptr;
      open();
      answer(command, text);
      BOOST_TEST(!harness->sink->read_back(command == "HMGET" ? Scope::listed : Scope::all, {"Ethernet0"}));
      check_given_up_for(redis::Errc::protocol);
      BOOST_TEST(harness->observer.read_backs == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(too_many_answers) {
  open();
  server.say(ok);
  check_given_up_for(redis::Errc::protocol);
}

BOOST_AUTO_TEST_CASE(an_error_that_nobody_asked_for) {
  open();
  server.say("-ERR Protocol error: too big inline request\r\n");
  check_given_up_for(redis::Errc::other);
}

BOOST_AUTO_TEST_CASE(an_endless_scan_is_no_endless_turn) {
  options.connection.timeout = 5s;
  open();
  answer("SCAN", array({bulk("1"), "*0\r\n"}));
  BOOST_TEST(!harness->sink->read_back(Scope::all, {}));
  harness->run_for(100ms);
  put();
  BOOST_TEST(!harness->sink->flush());
  BOOST_TEST(harness->run_until_results(1));
  BOOST_TEST(harness->observer.closes == 0);
}

BOOST_AUTO_TEST_CASE(a_flood_of_answers_is_taken_in_bounded_turns) {
  options.connection.timeout = 10s;
  open();
  std::vector<std::string> names;
  for (int i = 0; i < 5000; ++i) names.push_back("Ethernet" + std::to_string(i));
  std::vector<std::string> entries;
  for (const auto& name : names) {
    entries.push_back(bulk(name));
    entries.push_back(bulk("up"));
  }
  answer("HGETALL", array(entries));
  std::size_t told = 0;
  std::size_t most = 0;
  std::uint64_t turn = 0;
  harness->observer.when_row = [&] {
    told = turn == harness->wakeups ? told + 1 : 1;
    turn = harness->wakeups;
    most = std::max(most, told);
  };
  BOOST_REQUIRE(harness->read_back());
  BOOST_TEST(harness->observer.rows.size() == 5000U);
  BOOST_TEST(most <= 1024U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(errors, Fixture)

BOOST_AUTO_TEST_CASE(noauth_at_run_time_closes) {
  open();
  answer("MULTI", "-NOAUTH Authentication required.\r\n");
  put();
  BOOST_TEST(!harness->sink->flush());
  check_given_up_for(redis::Errc::noauth);
}

BOOST_AUTO_TEST_CASE(noauth_while_reading_closes) {
  open();
  answer("SCAN", "-NOAUTH Authentication required.\r\n");
  BOOST_TEST(!harness->sink->read_back(Scope::all, {}));
  check_given_up_for(redis::Errc::noauth);
}

BOOST_AUTO_TEST_CASE(noauth_to_a_probe_closes) {
  options.connection.probe_interval = 30ms;
  open();
  answer("PING", "-NOAUTH Authentication required.\r\n");
  check_given_up_for(redis::Errc::noauth);
}

BOOST_AUTO_TEST_CASE(a_refused_probe_is_an_answer) {
  options.connection.probe_interval = 30ms;
  open();
  answer("PING", "-MISCONF Redis is configured to save RDB snapshots\r\n");
  harness->run_for(400ms);
  BOOST_TEST(server.count("PING") > 3U);
  BOOST_TEST(harness->observer.closes == 0);
}

BOOST_AUTO_TEST_CASE(multi_that_is_unknown) {
  open();
  server.script = [](const std::string& command) -> std::optional<std::string> {
    if (command == "MULTI") return "-ERR unknown command 'MULTI'\r\n";
    if (command == "EXEC") return "-ERR unknown command 'EXEC'\r\n";
    return std::nullopt;
  };
  put();
  BOOST_TEST(!harness->sink->flush());
  BOOST_REQUIRE(harness->run_until_results(1));
  BOOST_TEST(!harness->observer.results[0].error);
  put();
  BOOST_TEST(!harness->sink->flush());
  BOOST_REQUIRE(harness->run_until_results(2));
  BOOST_TEST(server.count("MULTI") == 1U);
}

// Not Redis' way: it leaves the MULTI.
BOOST_AUTO_TEST_CASE(exec_that_is_refused_without_leaving_the_multi) {
  open();
  bool stuck = false;
  server.script = [&](const std::string& command) -> std::optional<std::string> {
    if (command == "EXEC") {
      stuck = true;
      return "-NOPERM this user has no permissions to run the 'exec' command\r\n";
    }
    if (stuck && command == "DISCARD") stuck = false;
    if (stuck) return queued;
    if (command.starts_with("HSET") && server.count("DISCARD") > 0) return ":1\r\n";
    return std::nullopt;
  };
  put();
  BOOST_TEST(!harness->sink->flush());
  BOOST_REQUIRE(harness->run_until_results(1));
  BOOST_TEST(harness->observer.results[0].error == make_error_code(portsync::Errc::try_again));
  put();
  BOOST_TEST(!harness->sink->flush());
  BOOST_REQUIRE(harness->run_until_results(2));
  BOOST_TEST(!harness->observer.results[1].error);
  BOOST_TEST(harness->observer.closes == 0);
}

// Some servers repeat what they were sent.
BOOST_AUTO_TEST_CASE(the_password_is_in_no_text) {
  options.connection.password = "s3cret";
  for (const char* command : {"AUTH", "SELECT", "INFO"}) {
    BOOST_TEST_CONTEXT(command) {
      answer(command, "-BUSY unknown command, with args beginning with: 's3cret'\r\n");
      begin();
      BOOST_REQUIRE(harness->run_until_closed());
      BOOST_TEST(harness->sink->statistics().last_error != "");
      BOOST_TEST(harness->sink->statistics().last_error.find("s3cret") == std::string::npos);
      BOOST_TEST(harness->observer.closed[0].message().find("s3cret") == std::string::npos);
    }
  }
  server.script = nullptr;
  open();
  answer("HSET", "-ERR s3cret\r\n");
  put();
  BOOST_TEST(!harness->sink->flush());
  BOOST_REQUIRE(harness->run_until_results(1));
  BOOST_TEST(harness->sink->statistics().last_error.find("s3cret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(texts_of_a_hostile_server_are_made_harmless) {
  answer("SELECT", "-ERR \x1b[2Jevil\x07" + std::string(1000, 'x') + "\r\n");
  begin();
  BOOST_REQUIRE(harness->run_until_closed());
  const auto text = harness->sink->statistics().last_error;
  BOOST_TEST(text.size() <= 200U);
  BOOST_TEST(text.find("?[2Jevil?") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(resources, Fixture)

BOOST_AUTO_TEST_CASE(two_hundred_reconnects_leak_no_descriptor) {
  options.connection.retry_interval = 1ms;
  open();
  server.close();
  BOOST_REQUIRE(harness->run_until_open(2));
  const auto before = open_descriptors();
  const int fd = harness->sink->fd();
  for (int i = 3; i < 203; ++i) {
    put();
    BOOST_TEST(!harness->sink->flush());
    server.close();
    BOOST_REQUIRE(harness->run_until_open(i));
  }
  BOOST_TEST(open_descriptors() == before);
  BOOST_TEST(harness->sink->fd() == fd);
  BOOST_TEST(harness->sink->statistics().opens == 202U);
}

BOOST_AUTO_TEST_CASE(retries_have_their_pause) {
  options.connection.retry_interval = 50ms;
  server.accepting = true;
  answer("SELECT", "-ERR no\r\n");
  begin();
  harness->run_for(500ms);
  BOOST_TEST(harness->observer.closes >= 6);
  BOOST_TEST(harness->observer.closes <= 12);
}

BOOST_AUTO_TEST_SUITE_END()

// A connection that a network delivers late.
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
  // "down" is on its way on a connection that is given up.
  void lose_a_write() {
    proxy.link(0).holding = true;
    BOOST_TEST(!harness->sink->put(port_record("Ethernet0", "down"), nullptr, ++harness->revision));
    BOOST_TEST(!harness->sink->flush());
    BOOST_REQUIRE(harness->run_until_closed());
    BOOST_TEST(proxy.link(0).to_server.find("down") != std::string::npos);
  }
  // What was on its way arrives, and has been dealt with.
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

// An attempt that fails between must not make us forget whom to kill.
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

// Connection alone, with a resolver of the test's own.
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
  const std::uint16_t nobody = free_tcp_port();
  redis::Connection connection(options, [&](const std::string&, std::uint16_t) {
    return redis::Resolution{{address(nobody), address(nobody), address(port)}, ""};
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

// One thread hangs, not one per attempt; its result, when it comes after all, is taken; meanwhile nothing spins.
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
