// SPDX-License-Identifier: Apache-2.0
// Tests what Pollable forbids, for each class that is one: process() inside a handler of the object, its destruction
// there, a second start(). With assertions enabled, a child of this program does these and is expected to abort. Also
// what Pollable allows: an edge-triggered wait.
#define BOOST_TEST_MODULE misuse
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <portsync/error.hpp>
#include <portsync/health_monitor.hpp>
#include <portsync/json_lines_sink.hpp>
#include <portsync/netlink/link_source.hpp>
#include <portsync/redis/database.hpp>
#include <portsync/redis/key_reader.hpp>
#include <portsync/redis/state_sink.hpp>
#include <portsync/redis/table_subscriber.hpp>
#include <portsync/sonic/port_loader.hpp>
#include <portsync/synchronizer.hpp>
#include <string>

#include "os/descriptor.hpp"
#include "sonic/port_gate.hpp"
#include "support/cpp/link_follower.hpp"
#include "support/cpp/netns.hpp"
#include "support/cpp/redis_server.hpp"
#include "support/cpp/rtnl.hpp"
#include "support/cpp/wait.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

namespace {

const std::error_code already_started = make_error_code(portsync::Errc::already_started);

// A misuse: what a handler does to the object that calls it.
template <typename T>
using Deed = std::function<void(std::unique_ptr<T>& object)>;

template <typename T>
void process_again(std::unique_ptr<T>& object) {
  (void)object->process();
}
template <typename T>
void destroy(std::unique_ptr<T>& object) {
  object.reset();
}

// Implements every observer, and does its deed whenever it is called.
struct AnyObserver final : StateSink::Observer,
                           redis::Database::Observer,
                           redis::TableSubscriber::Observer,
                           sonic::PortGate::Observer {
  explicit AnyObserver(std::function<void()> deed) : deed_(std::move(deed)) {}
  void on_open() override { deed_(); }
  void on_row(const StoredRow&) override {}
  void on_read_back(std::error_code) override {}
  void on_result(std::string_view, Revision, std::error_code) override {}
  void on_closed(std::error_code) override {}
  void on_subscribed() override { deed_(); }
  void on_event(std::string_view, std::string_view) override {}
  void on_snapshot() override {}
  void on_waiting(const std::string&) override {}
  void on_settled(const std::string&) override {}
  void on_port(const std::string&) override {}

 private:
  std::function<void()> deed_;
};

redis::ConnectionOptions connection(const RedisServer& server) {
  redis::ConnectionOptions options;
  options.socket_path = server.socket_path();
  return options;
}

sonic::PortLoaderOptions loader_options(const RedisServer& server) {
  sonic::PortLoaderOptions options;
  for (sonic::DatabaseOptions* database : {&options.config_db, &options.appl_db, &options.state_db}) {
    *database = {connection(server), "|"};
  }
  return options;
}

// Drives the object until its handler has been called, for at most ten seconds.
void drive(Pollable& object, const bool& called) {
  const TimePoint end = Clock::now() + 10s;
  while (!called && Clock::now() < end) {
    pollfd waiting{object.fd(), POLLIN, 0};
    ::poll(&waiting, 1, 100);
    (void)object.process();
  }
}

// Each member function makes an object of one class, starts it with a handler that does the deed, and drives it until
// the handler has been called.
struct Classes {
  const RedisServer& server;
  bool called = false;

  template <typename T>
  std::function<void()> handler(std::unique_ptr<T>& object, const Deed<T>& deed) {
    return [this, &object, deed] {
      called = true;
      deed(object);
    };
  }

  void link_source(const Deed<LinkSource>& deed) {
    std::unique_ptr<LinkSource> source = netlink::make_link_source();
    const auto handle = handler(source, deed);
    BOOST_REQUIRE(!source->start([handle](const LinkEvent&) { handle(); }));
    drive(*source, called);
  }
  void gate(const Deed<sonic::PortGate>& deed) {
    const std::unique_ptr<LinkSource> source = netlink::make_link_source();
    AnyObserver observer([] {});
    auto gate = std::make_unique<sonic::PortGate>(*source, PortFilter{}, observer);
    const auto handle = handler(gate, deed);
    BOOST_REQUIRE(!gate->start([handle](const LinkEvent&) { handle(); }));
    gate->open();
    drive(*gate, called);
  }
  void sink(std::unique_ptr<StateSink> sink, const Deed<StateSink>& deed) {
    AnyObserver observer(handler(sink, deed));
    BOOST_REQUIRE(!sink->start(observer));
    drive(*sink, called);
  }
  void callback_sink(const Deed<StateSink>& deed) {
    sink(make_callback_sink([](const PortRecord&) { return std::error_code{}; },
                            [](std::string_view) { return std::error_code{}; }),
         deed);
  }
  void json_lines_sink(const Deed<StateSink>& deed) { sink(make_json_lines_sink({}), deed); }
  void redis_sink(const Deed<StateSink>& deed) {
    redis::StateSinkOptions options;
    options.connection = connection(server);
    sink(redis::make_state_sink(options), deed);
  }
  void database(const Deed<redis::Database>& deed) {
    std::unique_ptr<redis::Database> database = redis::make_database(connection(server));
    AnyObserver observer(handler(database, deed));
    BOOST_REQUIRE(!database->start(observer));
    drive(*database, called);
  }
  void key_reader(const Deed<redis::KeyReader>& deed) {
    std::unique_ptr<redis::KeyReader> reader = redis::make_key_reader({connection(server)});
    const auto handle = handler(reader, deed);
    BOOST_REQUIRE(!reader->start([handle](const redis::KeyReader::Names&) { handle(); }));
    drive(*reader, called);
  }
  void table_subscriber(const Deed<redis::TableSubscriber>& deed) {
    std::unique_ptr<redis::TableSubscriber> subscriber = redis::make_table_subscriber({connection(server)});
    AnyObserver observer(handler(subscriber, deed));
    BOOST_REQUIRE(!subscriber->start(observer));
    drive(*subscriber, called);
  }
  void port_loader(const Deed<sonic::PortLoader>& deed) {
    const std::unique_ptr<LinkSource> source = netlink::make_link_source();
    std::unique_ptr<sonic::PortLoader> loader = sonic::make_port_loader(*source, loader_options(server));
    const auto handle = handler(loader, deed);
    BOOST_REQUIRE(!loader->start([handle](const sonic::LoaderEvent&) { handle(); }));
    drive(*loader, called);
  }
  // report(), too, calls its listener.
  void health_monitor(const Deed<HealthMonitor>& deed) {
    std::unique_ptr<HealthMonitor> monitor = make_health_monitor({});
    const auto handle = handler(monitor, deed);
    monitor->set_listener([handle](const Health&, const Health&) { handle(); });
    HealthReport report;
    report.first_snapshot = true;
    monitor->report(report);
    drive(*monitor, called);
  }
  void synchronizer(const Deed<Synchronizer>& deed) {
    const std::unique_ptr<LinkSource> source = netlink::make_link_source();
    auto synchronizer = std::make_unique<Synchronizer>(*source, SynchronizerOptions{});
    const auto handle = handler(synchronizer, deed);
    synchronizer->set_listener([handle](const SyncEvent&) { handle(); });
    BOOST_REQUIRE(!synchronizer->start());
    drive(*synchronizer, called);
  }
};

struct Fixture {
  Netns netns = Netns::enter_new();
  RedisServer server;
  Classes classes() { return {server}; }
};

#ifndef NDEBUG
// Expects that the deed aborts a process with an assertion that contains `says`.
void check_asserts(const std::string& what, const std::string& says, const std::function<void()>& deed) {
  BOOST_TEST_CONTEXT(what) {
    int said[2];
    BOOST_REQUIRE(::pipe2(said, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(SIGABRT, SIG_DFL);  // Boost.Test's handler would continue
      const rlimit no_core{0, 0};
      ::setrlimit(RLIMIT_CORE, &no_core);
      ::alarm(60);
      ::dup2(said[1], 2);
      deed();
      ::_exit(0);
    }
    ::close(said[1]);
    std::string text(4096, '\0');
    std::size_t size = 0;
    for (ssize_t got = 1; got > 0 && size < text.size(); size += static_cast<std::size_t>(std::max<ssize_t>(got, 0))) {
      got = ::read(said[0], &text[size], text.size() - size);
    }
    text.resize(size);
    ::close(said[0]);
    int status = 0;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    BOOST_TEST((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT), "status " << status << ", " << text);
    BOOST_TEST(text.find(says) != std::string::npos, text);
  }
}

template <typename T>
void check_class(Fixture& fixture, const std::string& name, void (Classes::*of)(const Deed<T>&)) {
  check_asserts(name + " processed again", "process() called from a handler", [&] {
    Classes classes = fixture.classes();
    (classes.*of)(&process_again<T>);
  });
  check_asserts(name + " destroyed", "destroyed by a handler", [&] {
    Classes classes = fixture.classes();
    (classes.*of)(&destroy<T>);
  });
}
#endif

// Starts the object twice; the second start() must fail.
template <typename T, typename... Arguments>
void check_starts_once(std::unique_ptr<T> object, Arguments&&... arguments) {
  BOOST_TEST(!object->start(arguments...));
  BOOST_TEST(object->start(arguments...) == already_started);
}

}  // namespace

#ifndef NDEBUG
BOOST_FIXTURE_TEST_CASE(process_in_a_handler_and_destruction_in_one_assert, Fixture) {
  check_class<LinkSource>(*this, "LinkSource", &Classes::link_source);
  check_class<sonic::PortGate>(*this, "PortLoader::links()", &Classes::gate);
  check_class<StateSink>(*this, "callback sink", &Classes::callback_sink);
  check_class<StateSink>(*this, "JSON-lines sink", &Classes::json_lines_sink);
  check_class<StateSink>(*this, "Redis sink", &Classes::redis_sink);
  check_class<redis::Database>(*this, "Database", &Classes::database);
  check_class<redis::KeyReader>(*this, "KeyReader", &Classes::key_reader);
  check_class<redis::TableSubscriber>(*this, "TableSubscriber", &Classes::table_subscriber);
  check_class<sonic::PortLoader>(*this, "PortLoader", &Classes::port_loader);
  check_class<HealthMonitor>(*this, "HealthMonitor", &Classes::health_monitor);
  check_class<Synchronizer>(*this, "Synchronizer", &Classes::synchronizer);
}

BOOST_FIXTURE_TEST_CASE(sinks_and_a_monitor_after_the_start_assert, Fixture) {
  const auto started = [](const std::function<void(Synchronizer&)>& deed) {
    const std::unique_ptr<LinkSource> source = netlink::make_link_source();
    Synchronizer synchronizer(*source, {});
    (void)synchronizer.start();
    deed(synchronizer);
  };
  const std::unique_ptr<StateSink> sink = make_json_lines_sink({});
  const std::unique_ptr<HealthMonitor> monitor = make_health_monitor({});
  check_asserts("add_sink()", "started_", [&] {
    started([&](Synchronizer& synchronizer) { synchronizer.add_sink(*sink, json_lines_projection(), "json"); });
  });
  check_asserts("set_health_monitor()", "started_",
                [&] { started([&](Synchronizer& synchronizer) { synchronizer.set_health_monitor(*monitor); }); });
}
#endif

BOOST_FIXTURE_TEST_CASE(a_second_start_is_an_error_and_changes_nothing, Fixture) {
  AnyObserver observer([] {});
  const auto on_link = [](const LinkEvent&) {};
  const std::unique_ptr<LinkSource> source = netlink::make_link_source();
  redis::StateSinkOptions sink_options;
  sink_options.connection = connection(server);
  check_starts_once(netlink::make_link_source(), on_link);
  check_starts_once(std::make_unique<sonic::PortGate>(*source, PortFilter{}, observer), on_link);
  check_starts_once<StateSink, StateSink::Observer&>(redis::make_state_sink(sink_options), observer);
  check_starts_once<StateSink, StateSink::Observer&>(make_json_lines_sink({}), observer);
  check_starts_once<StateSink, StateSink::Observer&>(make_callback_sink({}, {}), observer);
  check_starts_once<redis::Database, redis::Database::Observer&>(redis::make_database(connection(server)), observer);
  check_starts_once<redis::TableSubscriber, redis::TableSubscriber::Observer&>(
      redis::make_table_subscriber({connection(server)}), observer);
  check_starts_once(redis::make_key_reader({connection(server)}), [](const redis::KeyReader::Names&) {});
  const std::unique_ptr<LinkSource> of_loader = netlink::make_link_source();
  check_starts_once(sonic::make_port_loader(*of_loader, loader_options(server)), [](const sonic::LoaderEvent&) {});
  const std::unique_ptr<LinkSource> of_synchronizer = netlink::make_link_source();
  check_starts_once(std::make_unique<Synchronizer>(*of_synchronizer, SynchronizerOptions{}));
}

// A handler may call other members of the object, even the one that sets another handler.
BOOST_FIXTURE_TEST_CASE(a_listener_may_set_another_one, Fixture) {
  const std::unique_ptr<LinkSource> source = netlink::make_link_source();
  Synchronizer synchronizer(*source, {});
  const std::string captured(100, 'x');  // freed together with the listener
  std::string seen;
  bool other = false;
  synchronizer.set_listener([&, captured](const SyncEvent&) {
    synchronizer.set_listener([&](const SyncEvent&) { other = true; });
    seen = captured;
  });
  BOOST_REQUIRE(!synchronizer.start());
  process_until(synchronizer, [&] { return !seen.empty(); });
  BOOST_TEST(seen == captured);
  BOOST_REQUIRE(!synchronizer.resync());
  process_until(synchronizer, [&] { return other; });

  const std::unique_ptr<HealthMonitor> monitor = make_health_monitor({});
  seen.clear();
  monitor->set_listener([&, captured](const Health&, const Health&) {
    monitor->set_listener({});
    seen = captured;
  });
  HealthReport report;
  report.first_snapshot = true;
  monitor->report(report);
  BOOST_TEST(seen == captured);
}

// More changes than one process() handles, so that one process() for each wake-up would miss the rest.
BOOST_FIXTURE_TEST_CASE(an_edge_triggered_wait_is_right_when_it_processes_all, Fixture) {
  Rtnl rtnl;
  rtnl.add_veth("Ethernet0", 100, "peer0", 200);
  const std::unique_ptr<LinkSource> source = netlink::make_link_source();
  LinkFollower follower(*source);
  follower.keep_events = false;
  follower.start();
  BOOST_REQUIRE(follower.run_until_snapshot());

  const os::Descriptor edges(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  BOOST_REQUIRE(::epoll_ctl(edges.get(), EPOLL_CTL_ADD, source->fd(), &event) == 0);
  bool left_readable = false;
  for (std::uint32_t round = 0; round < 3; ++round) {
    const std::uint32_t newest = 1400 + round;
    for (std::uint32_t i = 0; i < 1500; ++i) rtnl.set_mtu(100, i % 2 == 0 ? 1300U : newest);
    while (follower.links.at(100).mtu != newest || readable(*source)) {
      BOOST_REQUIRE(::epoll_wait(edges.get(), &event, 1, 10'000) == 1);
      follower.process();
      left_readable = left_readable || readable(*source);
      follower.run_while_ready();
    }
  }
  BOOST_TEST(left_readable);
}
