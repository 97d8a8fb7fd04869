// SPDX-License-Identifier: Apache-2.0
// Tests the engine with random links, results, losses and foreign writes. In the end the store must equal the links.
#define BOOST_TEST_MODULE sync_engine_random
#include <boost/test/unit_test.hpp>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/sync_engine.hpp"
#include "support/cpp/fakes.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

namespace {

const std::vector<std::string> names{"Ethernet0", "Ethernet4",    "Ethernet8", "Ethernet12",
                                     "eth0",      "Ethernet0.10", "tmp"};
const std::map<std::string, FakeSink::Fields> foreign{{"Ethernet0.10", {{"oper", "up"}}},
                                                      {"PortChannel1", {{"mtu", "1"}}}};

std::string text(const std::map<std::string, FakeSink::Fields>& rows) {
  std::string all;
  for (const auto& [port, fields] : rows) {
    all += port;
    for (const auto& [name, value] : fields) all += " " + name + "=" + value;
    all += "; ";
  }
  return all;
}

class Game {
 public:
  explicit Game(unsigned seed) : random_(seed), engine_(source_, options(seed)) {
    source_.lasting = seed % 3 == 0;
    for (auto& sink : sinks_) {
      sink.capacity = 1 + pick(5);
      sink.rows = foreign;
      sink.rows["Ethernet8"] = {{"oper", "down"}, {"speed", "100"}};
      sink.rows["Ethernet100"] = {{"oper", "down"}, {"mtu", "1500"}};
      engine_.add_sink(sink, test_projection(), "sink");
    }
    sinks_[1].write_only = true;
    sinks_[1].rows = foreign;
    BOOST_REQUIRE(!engine_.start(now_));
    source_.change(make_link(1, "lo"), Cause::initial);
    source_.change(make_link(7, "Ethernet0"), Cause::initial);
    source_.snapshot_end(Cause::initial);
  }

  void step() {
    now_ += std::chrono::microseconds(pick(3000));
    source_.now = now_;
    engine_.set_now(now_);
    switch (pick(8)) {
      case 0:
      case 1:
        change_links();
        break;
      case 2:
        source_.drained();
        break;
      case 3:
        meddle(sinks_[0]);
        break;
      default:
        act(sinks_[pick(2)]);
    }
    engine_.run();
    check_foreign();
  }

  // Ends the trouble. The store must become correct within the time of a retry and an audit.
  void finish() {
    source_.drained();
    for (FakeSink& sink : sinks_) {
      if (!sink.is_open()) sink.open();
    }
    settle();
    BOOST_REQUIRE(!engine_.audit(Scope::listed));
    settle();
    std::map<std::string, FakeSink::Fields> wanted;
    for (const auto& [ifindex, link] : source_.links()) {
      if (!PortFilter{}.matches(link)) continue;
      wanted[link.name] = {{"oper", link.running() ? "up" : "down"}, {"mtu", std::to_string(*link.mtu)}};
    }
    for (FakeSink& sink : sinks_) {
      std::map<std::string, FakeSink::Fields> own;
      for (auto [port, fields] : sink.rows) {
        fields.erase("speed");
        if (foreign.count(port) == 0 && !fields.empty()) own[port] = fields;
      }
      BOOST_TEST(text(own) == text(wanted));
    }
    BOOST_TEST((sinks_[0].rows["Ethernet8"]["speed"] == "100"));
    BOOST_TEST(engine_.drained());
    BOOST_TEST(engine_.statistics().pending == 0U);
    const std::size_t written = sinks_[0].log.size() + sinks_[1].log.size();
    settle();
    BOOST_TEST(sinks_[0].log.size() + sinks_[1].log.size() == written);
  }

 private:
  static SynchronizerOptions options(unsigned seed) {
    SynchronizerOptions options;
    options.max_event_queue = 3;
    options.replace_on_new_ifindex = seed % 2 == 0;
    options.retry_interval = 10ms;
    options.audit_interval = 500ms;
    return options;
  }

  unsigned pick(unsigned below) { return std::uniform_int_distribution<unsigned>(0, below - 1)(random_); }

  void change_links() {
    const auto ifindex = static_cast<std::int32_t>(2 + pick(6));
    const bool exists = source_.links().count(ifindex) == 1;
    const Cause cause = pick(3) == 0 ? Cause::resync : Cause::notified;
    if (exists && pick(4) == 0) return source_.remove(ifindex, cause);
    const std::string& name = names[pick(static_cast<unsigned>(names.size()))];
    for (const auto& [other, link] : source_.links()) {
      if (other != ifindex && link.name == name) return;  // the kernel does not allow two links with one name
    }
    const LinkState link = make_link(ifindex, name, pick(2) == 0, 1500 + pick(2));
    if (!exists || link != source_.links().at(ifindex)) source_.change(link, cause);
  }

  // Another program writes to the table.
  void meddle(FakeSink& sink) {
    const std::string& name = names[pick(4)];
    if (sink.rows.count(name) == 0 || sink.rows[name].count("oper") == 0)
      return;  // rows of no port: only a scan finds them
    switch (pick(3)) {
      case 0:
        sink.rows[name].erase("oper");
        break;
      case 1:
        sink.rows[name]["mtu"] = "68";
        break;
      default:
        sink.rows[name].erase("oper");
        sink.rows[name].erase("mtu");
        if (sink.rows[name].empty()) sink.rows.erase(name);
    }
  }

  void act(FakeSink& sink) {
    if (!sink.is_open()) {
      if (pick(4) == 0) sink.open();
      return;
    }
    const unsigned action = pick(20);
    if (action == 0) return sink.close({ECONNRESET, std::system_category()}, pick(4));
    if (sink.operations.empty()) return sink.observer().on_read_back({});  // a result without a request
    if (action < 3) return sink.refuse_in_part({ENOSPC, std::system_category()});
    if (action < 6 && sink.operations.front().revision != 0) return sink.answer(Errc::try_again);
    if (action == 6) sink.put_error = {EIO, std::system_category()};
    sink.answer();
  }

  void settle() {
    for (int i = 0; i < 200; ++i) {
      now_ += 1ms;
      source_.now = now_;
      engine_.set_now(now_);
      engine_.run();
      for (FakeSink& sink : sinks_) {
        sink.put_error.clear();
        sink.answer_all();
      }
    }
  }

  void check_foreign() {
    for (const auto& [port, fields] : foreign) {
      for (FakeSink& sink : sinks_) BOOST_REQUIRE((sink.rows[port] == fields));
    }
  }

  std::mt19937 random_;
  TimePoint now_{1h};
  FakeSource source_;
  core::SyncEngine engine_;
  FakeSink sinks_[2];
};

}  // namespace

BOOST_AUTO_TEST_CASE(whatever_happens_the_store_ends_equal_to_the_links) {
  for (unsigned seed = 1; seed <= 2000; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Game game(seed);
      for (int i = 0; i < 400; ++i) game.step();
      game.finish();
    }
  }
}
