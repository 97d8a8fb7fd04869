// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE port_gate
#include "sonic/port_gate.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <stdexcept>

#include "support/cpp/fakes.hpp"

using namespace portsync;
using portsync::sonic::PortGate;
using test::make_link;

namespace {

using Lines = std::vector<std::string>;

struct Fixture : PortGate::Observer {
  Fixture() : descriptor(::eventfd(0, EFD_CLOEXEC)) {
    source.descriptor = descriptor;
    source.lasting = true;
    BOOST_REQUIRE(!gate.start([this](const LinkEvent& event) { on_event(event); }));
  }
  ~Fixture() override { ::close(descriptor); }

  void on_event(const LinkEvent& event) {
    if (std::exchange(fail, false)) throw std::runtime_error("handler");
    switch (event.kind) {
      case LinkEvent::Kind::changed:
        events.push_back(event.link->name + (event.before == nullptr ? " comes" : " changes") + " " +
                         to_string(event.cause));
        break;
      case LinkEvent::Kind::removed:
        events.push_back(event.link->name + " goes");
        break;
      case LinkEvent::Kind::snapshot_begin:
        events.push_back("begin");
        break;
      case LinkEvent::Kind::snapshot_end:
        events.push_back("end");
        break;
      case LinkEvent::Kind::drained:
        break;
    }
  }

  void on_snapshot() override { observed.push_back("snapshot"); }
  void on_waiting(const std::string& name) override { observed.push_back("waiting " + name); }
  void on_settled(const std::string& name) override { observed.push_back("settled " + name); }
  void on_port(const std::string& name) override { observed.push_back("port " + name); }

  void snapshot(const std::vector<LinkState>& links) {
    source.snapshot_begin(Cause::initial);
    for (const LinkState& link : links) source.change(link, Cause::initial);
    source.snapshot_end(Cause::initial);
  }
  void process() { BOOST_REQUIRE(!gate.process()); }
  void open_empty() {
    snapshot({});
    gate.open();
    process();
    take();
    observed.clear();
  }
  void pass(std::int32_t ifindex, const std::string& name) {
    source.change(make_link(ifindex, name));
    gate.admit(name);
    process();
  }
  [[nodiscard]] bool readable() const {
    pollfd waits{gate.fd(), POLLIN, 0};
    return ::poll(&waits, 1, 0) == 1;
  }
  Lines take() { return std::exchange(events, {}); }
  Lines seen() { return std::exchange(observed, {}); }

  int descriptor;
  test::FakeSource source;
  PortGate gate{source, {}, *this};
  Lines events;
  Lines observed;
  bool fail = false;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(nothing_is_forwarded_before_it_opens, Fixture) {
  gate.admit("Ethernet0");
  snapshot({make_link(1, "lo"), make_link(2, "Ethernet0")});
  process();
  BOOST_TEST(events.empty());
  BOOST_TEST(seen() == Lines{"snapshot"});
}

BOOST_FIXTURE_TEST_CASE(it_opens_with_a_snapshot_of_what_may_pass, Fixture) {
  snapshot({make_link(1, "lo"), make_link(2, "Ethernet0"), make_link(3, "Ethernet4")});
  gate.admit("Ethernet0");
  gate.open();
  BOOST_TEST(readable());
  process();
  const Lines all = take();
  BOOST_REQUIRE(all.size() == 4U);
  BOOST_TEST(all.front() == "begin");
  BOOST_TEST(all.back() == "end");
  BOOST_TEST((std::count(all.begin(), all.end(), "lo comes initial") == 1));
  BOOST_TEST((std::count(all.begin(), all.end(), "Ethernet0 comes initial") == 1));
  BOOST_TEST(!readable());
}

BOOST_FIXTURE_TEST_CASE(opened_before_the_snapshot_it_waits_for_it, Fixture) {
  gate.open();
  process();
  BOOST_TEST(events.empty());
  snapshot({make_link(1, "lo")});
  BOOST_TEST(readable());
  process();
  BOOST_TEST(take() == (Lines{"begin", "lo comes initial", "end"}));
}

// A message that got lost without a trace while the gate was closed would leave a row wrong until the first audit.
BOOST_FIXTURE_TEST_CASE(opened_long_after_the_snapshot_it_asks_for_another_one, Fixture) {
  source.now = Clock::now() - std::chrono::seconds(2);
  snapshot({make_link(1, "lo", true)});
  source.now = Clock::now();
  gate.open();
  BOOST_TEST(source.resyncs == 0);
  process();
  BOOST_TEST(take() == (Lines{"begin", "lo comes initial", "end"}));
  BOOST_TEST(source.resyncs == 1);
  snapshot({make_link(1, "lo", false)});
  BOOST_TEST(take() == (Lines{"begin", "lo changes initial", "end"}));
  process();
  BOOST_TEST(source.resyncs == 1);
}

BOOST_FIXTURE_TEST_CASE(opened_soon_after_the_snapshot_it_asks_for_no_other_one, Fixture) {
  source.now = Clock::now() + std::chrono::hours(1);  // recent, however slow the machine is
  snapshot({make_link(1, "lo")});
  gate.open();
  process();
  BOOST_TEST(take() == (Lines{"begin", "lo comes initial", "end"}));
  BOOST_TEST(source.resyncs == 0);
}

BOOST_FIXTURE_TEST_CASE(a_link_waits_for_its_name_and_comes_as_it_is_then, Fixture) {
  open_empty();
  source.change(make_link(2, "Ethernet0", false));
  source.change(make_link(2, "Ethernet0", true));
  BOOST_TEST(take().empty());
  BOOST_TEST(seen() == Lines{"waiting Ethernet0"});
  BOOST_TEST(!gate.will_pass());
  gate.admit("Ethernet0");
  BOOST_TEST(gate.will_pass());
  process();
  BOOST_TEST(!gate.will_pass());
  BOOST_TEST(take() == Lines{"Ethernet0 comes notified"});
  BOOST_TEST(seen() == (Lines{"settled Ethernet0", "port Ethernet0"}));
  source.change(make_link(2, "Ethernet0", false));
  BOOST_TEST(take() == Lines{"Ethernet0 changes notified"});
  BOOST_TEST(seen().empty());
}

BOOST_FIXTURE_TEST_CASE(a_link_that_is_not_lasting_is_copied_while_it_waits, Fixture) {
  source.lasting = false;
  open_empty();
  source.change(make_link(2, "Ethernet0"));
  gate.admit("Ethernet0");
  process();
  BOOST_TEST(take() == Lines{"Ethernet0 comes notified"});
}

BOOST_FIXTURE_TEST_CASE(a_link_that_goes_while_it_waits_was_never_forwarded, Fixture) {
  open_empty();
  source.change(make_link(2, "Ethernet0"));
  source.remove(2);
  BOOST_TEST(take().empty());
  BOOST_TEST(seen() == (Lines{"waiting Ethernet0", "settled Ethernet0"}));
  gate.admit("Ethernet0");
  process();
  BOOST_TEST(take().empty());
}

BOOST_FIXTURE_TEST_CASE(after_a_removal_the_name_is_admitted_anew, Fixture) {
  open_empty();
  pass(2, "Ethernet0");
  source.remove(2);
  BOOST_TEST(take() == (Lines{"Ethernet0 comes notified", "Ethernet0 goes"}));
  seen();
  source.change(make_link(3, "Ethernet0"));
  BOOST_TEST(take().empty());
  BOOST_TEST(seen() == Lines{"waiting Ethernet0"});
}

BOOST_FIXTURE_TEST_CASE(a_rename_to_an_unknown_name_is_forwarded_as_a_removal, Fixture) {
  open_empty();
  pass(2, "Ethernet0");
  take();
  source.change(make_link(2, "Ethernet9"));
  BOOST_TEST(take() == Lines{"Ethernet0 goes"});
  source.change(make_link(2, "Ethernet0"));
  BOOST_TEST(take().empty());
  gate.admit("Ethernet0");
  process();
  BOOST_TEST(take() == Lines{"Ethernet0 comes notified"});
}

BOOST_FIXTURE_TEST_CASE(a_rename_to_an_admitted_name_is_forwarded_as_a_rename, Fixture) {
  open_empty();
  pass(2, "Ethernet0");
  pass(3, "Ethernet4");  // the notification of its new name is still to come
  seen();
  take();
  source.change(make_link(2, "Ethernet4"));
  BOOST_TEST(take() == Lines{"Ethernet4 changes notified"});
  BOOST_TEST(seen() == Lines{"port Ethernet4"});
  source.change(make_link(2, "eth0"));
  BOOST_TEST(take() == Lines{"eth0 changes notified"});
  BOOST_TEST(seen().empty());
}

BOOST_FIXTURE_TEST_CASE(a_link_that_becomes_a_port_by_its_kind_waits_for_its_name, Fixture) {
  open_empty();
  LinkState lag = make_link(2, "Ethernet0");
  lag.kind = "team";
  source.change(lag);
  BOOST_TEST(take() == Lines{"Ethernet0 comes notified"});
  BOOST_TEST(seen().empty());
  source.change(make_link(2, "Ethernet0"));
  BOOST_TEST(take() == Lines{"Ethernet0 goes"});
  BOOST_TEST(seen() == Lines{"waiting Ethernet0"});
  gate.admit("Ethernet0");
  process();
  BOOST_TEST(take() == Lines{"Ethernet0 comes notified"});
  BOOST_TEST(seen() == (Lines{"settled Ethernet0", "port Ethernet0"}));
  source.change(lag);
  BOOST_TEST(take() == Lines{"Ethernet0 changes notified"});
  source.change(make_link(2, "Ethernet0"));  // the name has to be admitted anew
  BOOST_TEST(take() == Lines{"Ethernet0 goes"});
  BOOST_TEST(seen() == Lines{"waiting Ethernet0"});
}

BOOST_FIXTURE_TEST_CASE(a_waiting_link_renamed_waits_under_its_new_name, Fixture) {
  open_empty();
  source.change(make_link(2, "Ethernet0"));
  source.change(make_link(2, "Ethernet4"));
  BOOST_TEST(seen() == (Lines{"waiting Ethernet0", "settled Ethernet0", "waiting Ethernet4"}));
  gate.admit("Ethernet0");
  process();
  BOOST_TEST(take().empty());
  source.change(make_link(2, "eth0"));
  BOOST_TEST(take() == Lines{"eth0 comes notified"});
  BOOST_TEST(seen() == Lines{"settled Ethernet4"});
}

BOOST_FIXTURE_TEST_CASE(of_two_links_of_one_name_the_one_that_stays_waits_on, Fixture) {
  open_empty();
  source.change(make_link(10, "Ethernet0"));
  source.change(make_link(11, "Ethernet0"));
  source.remove(10);
  BOOST_TEST(seen() == Lines{"waiting Ethernet0"});
  gate.admit("Ethernet0");
  process();
  BOOST_TEST(take() == Lines{"Ethernet0 comes notified"});
  BOOST_TEST(seen() == (Lines{"settled Ethernet0", "port Ethernet0"}));
}

BOOST_FIXTURE_TEST_CASE(a_name_that_no_link_has_is_not_admitted_for_later, Fixture) {
  snapshot({make_link(2, "Ethernet0")});
  gate.admit("Ethernet0");
  gate.admit("Ethernet4");
  gate.open();
  process();
  gate.admit("Ethernet8");
  process();
  take();
  source.change(make_link(3, "Ethernet4"));
  source.change(make_link(4, "Ethernet8"));
  BOOST_TEST(take().empty());
  source.change(make_link(2, "eth0"));
  take();
  source.change(make_link(5, "Ethernet0"));
  BOOST_TEST(take().empty());
}

BOOST_FIXTURE_TEST_CASE(an_ignored_link_is_never_forwarded_and_its_successor_is, Fixture) {
  snapshot({make_link(2, "Ethernet0")});
  const auto candidates = gate.candidates();
  BOOST_REQUIRE(candidates.size() == 1U);
  BOOST_TEST(candidates[0].name == "Ethernet0");
  BOOST_TEST(candidates[0].admin_up);
  gate.ignore(candidates[0].ifindex);
  gate.admit("Ethernet0");
  gate.open();
  process();
  BOOST_TEST(take() == (Lines{"begin", "end"}));
  source.change(make_link(2, "Ethernet0", false));
  BOOST_TEST(take().empty());
  source.change(make_link(3, "Ethernet0"));  // before the removal of the old link is reported
  BOOST_TEST(take().empty());
  gate.admit("Ethernet0");
  process();
  BOOST_TEST(take() == Lines{"Ethernet0 comes notified"});
  source.remove(2);
  BOOST_TEST(take().empty());
}

BOOST_FIXTURE_TEST_CASE(a_lag_and_a_sub_interface_are_no_candidates, Fixture) {
  LinkState lag = make_link(2, "Ethernet0");
  lag.kind = "team";
  LinkState sub_interface = make_link(3, "Ethernet0.10");
  sub_interface.kind = "vlan";
  snapshot({lag, sub_interface, make_link(4, "PortChannel1")});
  BOOST_TEST(gate.candidates().empty());
}

BOOST_FIXTURE_TEST_CASE(a_resync_is_forwarded_as_it_comes, Fixture) {
  open_empty();
  snapshot({});
  BOOST_TEST(take() == (Lines{"begin", "end"}));
  BOOST_TEST(seen().empty());
}

BOOST_FIXTURE_TEST_CASE(a_handler_that_throws_loses_no_other_link, Fixture) {
  snapshot({make_link(2, "Ethernet0"), make_link(3, "Ethernet4")});
  gate.admit("Ethernet0");
  gate.admit("Ethernet4");
  gate.open();
  fail = true;
  BOOST_CHECK_THROW((void)gate.process(), std::runtime_error);
  BOOST_TEST(readable());
  process();
  BOOST_TEST(take().size() == 4U);
}
