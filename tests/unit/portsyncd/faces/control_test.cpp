// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE control
#include "faces/control.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "log/log.hpp"
#include "support/cpp/allocations.hpp"
#include "support/cpp/control_fixture.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace portsyncd;

namespace {

const Control::Requester tester{"uid=0 pid=1"};

using Names = std::vector<std::string>;

struct Observer final : Control::Observer {
  void on_port_changed(const Control::PortChange& change) override {
    received.push_back(std::string(change.now == nullptr ? "removed " : "changed ") + std::string(change.port));
  }
  void on_health_changed(const Control::Transition& transition) override {
    received.push_back(to_string(transition.before) + " -> " + to_string(transition.now));
  }
  void on_resynchronized(Cause cause, std::size_t ports) override {
    received.push_back(std::string("resynchronized ") + to_string(cause) + " " + std::to_string(ports));
  }
  void on_store_changed(bool open) override { received.emplace_back(open ? "open" : "closed"); }

  Names received;
};

struct Fixture : ControlFixture {
  Names ports(const std::string& pattern) {
    Names names;
    for (const PortStatus& port : control.ports(pattern)) names.emplace_back(port.name);
    return names;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(names_are_sorted_as_people_do) {
  Names names{"Ethernet12",
              "Ethernet4",
              "Ethernet0",
              "Ethernet",
              "Ethernet04",
              "eth1",
              "Ethernet4a",
              "Ethernet4.10",
              "Ethernet4.9",
              "Ethernet99999999999999999999",
              "Ethernet100000000000000000000"};
  std::sort(names.begin(), names.end(), name_less);
  BOOST_TEST(
      (names == Names{"Ethernet", "Ethernet0", "Ethernet04", "Ethernet4", "Ethernet4.9", "Ethernet4.10", "Ethernet4a",
                      "Ethernet12", "Ethernet99999999999999999999", "Ethernet100000000000000000000", "eth1"}));
  BOOST_TEST(!name_less("Ethernet4", "Ethernet4"));
}

BOOST_FIXTURE_TEST_CASE(ports_are_those_that_match_in_order, Fixture) {
  snapshot({"Ethernet12", "Ethernet4", "eth0", "Ethernet0"});
  BOOST_TEST((ports("") == Names{"Ethernet0", "Ethernet4", "Ethernet12"}));
  BOOST_TEST((ports("Ethernet?") == Names{"Ethernet0", "Ethernet4"}));
  BOOST_TEST((ports("Ethernet12") == Names{"Ethernet12"}));
  BOOST_TEST(ports("eth*").empty());
  BOOST_TEST(control.port("Ethernet4").has_value());
  BOOST_TEST(!control.port("eth0").has_value());
}

BOOST_FIXTURE_TEST_CASE(the_status_is_what_the_parts_say, Fixture) {
  BOOST_TEST(!control.status().last_resync.has_value());
  snapshot({"Ethernet0"});
  const Control::Status status = control.status();
  BOOST_TEST(status.ports == 1U);
  BOOST_TEST(status.store == "Redis at /run/redis.sock");
  BOOST_TEST(status.mode == "mirror");
  BOOST_TEST(status.last_resync.has_value());
  BOOST_TEST(status.log_level == "info");
  BOOST_TEST((status.health == monitor.overall()));
}

BOOST_FIXTURE_TEST_CASE(observers_are_notified_until_they_are_removed, Fixture) {
  Observer observer;
  control.add_observer(observer);
  snapshot({"Ethernet0"});
  PortRecord record{"Ethernet0", {}};
  SyncEvent event;
  event.kind = SyncEvent::Kind::row_written;
  event.port = "Ethernet0";
  event.record = &record;
  control.on_event(event);
  event.kind = SyncEvent::Kind::row_erased;
  event.record = nullptr;
  control.on_event(event);
  event.kind = SyncEvent::Kind::sink_closed;
  control.on_event(event);
  control.on_health({Verdict::degraded, "starting"}, {Verdict::healthy, ""});
  BOOST_TEST((observer.received == Names{"resynchronized initial 1", "changed Ethernet0", "removed Ethernet0", "closed",
                                         "Degraded: starting -> Healthy"}));
  control.remove_observer(observer);
  control.on_event(event);
  BOOST_TEST(observer.received.size() == 5U);
}

BOOST_FIXTURE_TEST_CASE(who_asked_is_in_the_log_and_off_is_said_last, Fixture) {
  const std::string file = "/tmp/control_test_" + std::to_string(::getpid()) + ".log";
  log::open({"file", file});
  BOOST_TEST(!control.resync(true, {"uid=1 pid=2"}));
  BOOST_TEST(!control.audit({"uid=3 pid=4"}));
  BOOST_REQUIRE(control.reload({"uid=5 pid=6"}).has_value());
  BOOST_TEST(!control.set_log_level("error", {"uid=7 pid=8"}));
  BOOST_TEST(!control.set_log_level("off", {"uid=9 pid=10"}));
  BOOST_TEST(!control.audit({"uid=11 pid=12"}));
  BOOST_TEST(!control.set_log_level("info", {"uid=13 pid=14"}));
  log::open({"stderr", ""});
  std::ifstream stream(file);
  Names lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line.substr(line.find(' ') + 1));
  std::remove(file.c_str());
  const Names wanted{"info Resync with force: requested by uid=1 pid=2",
                     "info Audit: requested by uid=3 pid=4",
                     "info Reload: requested by uid=5 pid=6",
                     "info Log level error, was info: requested by uid=7 pid=8",
                     "error Log level off, was error: requested by uid=9 pid=10",
                     "error The log level is off: this is the last line",
                     "info Log level info, was off: requested by uid=13 pid=14"};
  BOOST_TEST(lines == wanted, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_level_that_does_not_exist_is_refused, Fixture) {
  BOOST_TEST(!control.set_log_level("warning", tester));
  BOOST_TEST((log::level() == log::Level::warning));
  const auto error = control.set_log_level("loud", tester);
  BOOST_REQUIRE(error.has_value());
  BOOST_TEST((error->kind == ControlError::Kind::invalid_argument));
  BOOST_TEST(error->text == "found the level \"loud\", expected trace, debug, info, warn, error, critical or off");
  BOOST_TEST((log::level() == log::Level::warning));
  log::set_level(log::Level::info);
}

BOOST_FIXTURE_TEST_CASE(a_resync_asks_the_source_and_a_reload_the_daemon, Fixture) {
  BOOST_TEST(!control.resync(false, tester));
  BOOST_TEST(source.resyncs == 1);
  BOOST_TEST(!control.audit(tester));
  BOOST_TEST(source.resyncs == 2);
  BOOST_REQUIRE(control.reload(tester).has_value());
  BOOST_TEST(control.reload(tester)->text == "nothing has changed: why");
}

// The caller has no number to forget the handler by, and what the handler refers to may be gone when the store replies.
BOOST_FIXTURE_TEST_CASE(a_check_without_memory_leaves_no_handler, Fixture) {
  const std::string name = "a-name-that-a-string-keeps-on-the-heap";
  int calls = 0;
  std::size_t failed = 0;
  for (bool stored = false; !stored; ++failed) {
    Control::CheckHandler handler = [&calls, name](const Control::RowCheck&) { ++calls; };
    failing_allocation = allocations + failed + 1;
    try {
      control.check(name, std::move(handler));
      stored = true;
    } catch (const std::bad_alloc&) {
    }
    failing_allocation = 0;
  }
  BOOST_TEST(failed > 2U);
  control.on_event({.kind = SyncEvent::Kind::row_checked, .port = name});
  BOOST_TEST(calls == 1);
}
