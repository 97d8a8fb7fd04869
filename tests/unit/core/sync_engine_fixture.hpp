// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "core/sync_engine.hpp"
#include "support/cpp/fakes.hpp"
#include "support/cpp/recorder.hpp"

// The engine between a fake source and fake sinks, driven by hand.
namespace portsync::test {

using namespace std::chrono_literals;
using Kind = SyncEvent::Kind;
using Rows = std::map<std::string, FakeSink::Fields>;
using Log = std::vector<std::string>;

inline const FakeSink::Fields up{{"oper", "up"}, {"mtu", "1500"}};
inline const FakeSink::Fields down{{"oper", "down"}, {"mtu", "1500"}};
// `up`, as a sink reads it back.
inline const std::vector<std::pair<std::string_view, std::string_view>> stored_up{{"oper", "up"}, {"mtu", "1500"}};
inline const std::error_code refused{ENOSPC, std::system_category()};
inline const std::error_code lost{ECONNRESET, std::system_category()};

struct Fixture {
  explicit Fixture(SynchronizerOptions options = {}, std::size_t sink_count = 1) : engine(source, std::move(options)) {
    for (std::size_t i = 0; i < sink_count; ++i) {
      sinks.push_back(std::make_unique<FakeSink>());
      engine.add_sink(*sinks.back(), test_projection(), "sink" + std::to_string(i));
    }
    engine.set_listener(std::ref(recorder));
    BOOST_REQUIRE(!engine.start(now));
  }

  FakeSink& sink(std::size_t i = 0) { return *sinks[i]; }

  void advance(std::chrono::nanoseconds time) {
    now += time;
    source.now = now;
    engine.set_now(now);
  }
  // Runs a round of the loop in which nothing is ready.
  void turn(std::chrono::nanoseconds time = 1us) {
    advance(time);
    engine.run();
  }
  void snapshot(const std::vector<LinkState>& links) {
    source.snapshot_begin(Cause::initial);
    for (const LinkState& link : links) source.change(link, Cause::initial);
    source.snapshot_end(Cause::initial);
    source.drained();
  }
  // Completes all operations of the sinks until there are no more.
  void settle() {
    for (int i = 0; i < 100; ++i) {
      turn();
      bool idle = true;
      for (const auto& each : sinks) {
        idle = idle && each->operations.empty();
        if (each->is_open()) each->answer_all();
      }
      if (idle) return;
    }
    BOOST_FAIL("the engine does not come to rest");
  }
  // Starts, and runs until the store equals the links.
  void begin(const std::vector<LinkState>& links) {
    turn();
    for (const auto& each : sinks) each->open();
    snapshot(links);
    settle();
    for (const auto& each : sinks) each->log.clear();
    recorder.events.clear();
  }

  TimePoint now{1h};
  FakeSource source;
  core::SyncEngine engine;
  std::vector<std::unique_ptr<FakeSink>> sinks;
  Recorder recorder;
};

inline SynchronizerOptions matching(std::vector<std::string> match) {
  SynchronizerOptions options;
  options.filter.match = std::move(match);
  return options;
}

inline std::vector<LinkState> ports(int count) {
  std::vector<LinkState> links;
  for (int i = 0; i < count; ++i) links.push_back(make_link(100 + i, "Ethernet" + std::to_string(i)));
  return links;
}

}  // namespace portsync::test
