// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <portsync/redis/state_sink.hpp>
#include <string>
#include <vector>

#include "support/cpp/fake_redis.hpp"
#include "support/cpp/redis_server.hpp"
#include "support/cpp/sink_harness.hpp"
#include "support/cpp/sink_records.hpp"

namespace portsync::test {

// The Redis sink, connected to a server whose replies the test chooses.
struct HostileFixture {
  TemporaryDirectory directory;
  FakeRedis server{directory.file("fake.sock")};
  redis::StateSinkOptions options = quick_options();
  std::unique_ptr<SinkHarness> harness;

  HostileFixture() {
    options.connection.socket_path = directory.file("fake.sock");
    options.connection.timeout = std::chrono::milliseconds(150);
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
  // Sets the reply to commands with this beginning. All other commands get the usual reply.
  void answer(const std::string& beginning, const std::string& text) {
    server.script = [=](const std::string& command) -> std::optional<std::string> {
      if (command.starts_with(beginning)) return text;
      return std::nullopt;
    };
  }
  // Checks that the sink gives the connection up with this error, and works again once the server replies as usual.
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

}  // namespace portsync::test
