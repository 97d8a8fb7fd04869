// SPDX-License-Identifier: Apache-2.0
// One netlink source and three sinks in one process: a real Redis, a JSON-lines pipe that is not read for a while, and
// a function that refuses. A slow or failing sink must not delay the others.
#define BOOST_TEST_MODULE three_sinks
#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <portsync/json_lines_sink.hpp>
#include <portsync/netlink/link_source.hpp>
#include <portsync/redis/state_sink.hpp>
#include <portsync/synchronizer.hpp>
#include <string>

#include "support/cpp/netns.hpp"
#include "support/cpp/redis_server.hpp"
#include "support/cpp/rtnl.hpp"
#include "support/cpp/wait.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

namespace {

constexpr int ports = 64;

std::string port_name(int i) {
  return "Ethernet" + std::to_string(4 * i);
}

struct Fixture {
  Fixture() {
    for (int i = 0; i < ports; ++i) {
      rtnl.add_veth(port_name(i), 100 + i, "peer" + std::to_string(i), 20000 + i);
      rtnl.set_up(100 + i, true);
      rtnl.set_up(20000 + i, true);
    }
    BOOST_REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    options.connection.socket_path = redis.socket_path();
    options.connection.database = 6;
    source = netlink::make_link_source();
    second_source = netlink::make_link_source();
    BOOST_REQUIRE(!second_source->start([this](const LinkEvent& event) {
      if (event.kind == LinkEvent::Kind::changed) known[event.link->ifindex] = *event.link;
    }));
    redis_sink = redis::make_state_sink(options);
    json_sink = make_json_lines_sink({pipe[1], 16 * 1024});
    failing_sink = make_callback_sink(
        [this](const PortRecord& record) {
          if (refusing) return std::make_error_code(std::errc::no_space_on_device);
          accepted[record.port] = record;
          return std::error_code{};
        },
        [this](std::string_view port) {
          accepted.erase(std::string(port));
          return std::error_code{};
        });
    SynchronizerOptions synchronizer_options;
    synchronizer_options.retry_interval = 100ms;
    synchronizer = std::make_unique<Synchronizer>(*source, synchronizer_options);
    synchronizer->add_sink(*redis_sink, redis::make_projection(options), "redis");
    synchronizer->add_sink(*json_sink, json_lines_projection(), "json");
    synchronizer->add_sink(*failing_sink, redis::make_projection(options), "failing");
    BOOST_REQUIRE(!synchronizer->start());
  }
  ~Fixture() {
    ::close(pipe[0]);
    ::close(pipe[1]);
  }

  bool redis_equals_kernel() {
    const auto client = std::make_unique<RedisClient>(redis.socket_path());
    (*client)({"SELECT", "6"});
    for (int i = 0; i < ports; ++i) {
      const LinkState& link = state(100 + i);
      const std::string row = (*client)({"HMGET", "PORT_TABLE|" + port_name(i), "netdev_oper_status", "mtu"});
      if (row != std::string(link.running() ? "up " : "down ") + std::to_string(*link.mtu)) return false;
    }
    return (*client)({"HLEN", "PORT_TABLE"}) == std::to_string(ports);
  }

  // Returns the kernel's present state of a link, read by another source.
  const LinkState& state(std::int32_t ifindex) {
    do {
      BOOST_REQUIRE(!second_source->process());
    } while (readable(*second_source) || known.count(ifindex) == 0);
    return known[ifindex];
  }

  std::string read_json() const {
    std::string text(1 << 20, '\0');
    const ssize_t size = readable_pipe() ? ::read(pipe[0], text.data(), text.size()) : 0;
    text.resize(static_cast<std::size_t>(size));
    return text;
  }
  bool readable_pipe() const {
    pollfd waiting{pipe[0], POLLIN, 0};
    return ::poll(&waiting, 1, 0) > 0;
  }

  Netns netns = Netns::enter_new();
  Rtnl rtnl;
  RedisServer redis;
  int pipe[2] = {-1, -1};
  bool refusing = true;
  std::map<std::string, PortRecord> accepted;
  redis::StateSinkOptions options;
  std::map<std::int32_t, LinkState> known;
  std::unique_ptr<LinkSource> source;
  std::unique_ptr<LinkSource> second_source;
  std::unique_ptr<StateSink> redis_sink;
  std::unique_ptr<StateSink> json_sink;
  std::unique_ptr<StateSink> failing_sink;
  std::unique_ptr<Synchronizer> synchronizer;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(three_sinks_at_once_one_slow_one_failing, Fixture) {
  // The pipe holds less than 64 lines, so the JSON sink cannot continue; the third sink refuses every row. Redis must
  // not be delayed.
  process_until(*synchronizer, [this] { return redis_equals_kernel(); });
  for (std::uint32_t mtu = 2000; mtu < 2010; ++mtu) {
    for (int i = 0; i < ports; ++i) rtnl.set_mtu(100 + i, mtu);
    process_until(*synchronizer, [this] { return redis_equals_kernel(); });
  }
  BOOST_TEST(!synchronizer->synchronized());
  BOOST_TEST(!synchronizer->drained());
  BOOST_TEST(accepted.empty());
  BOOST_TEST(synchronizer->statistics().failures >= static_cast<std::uint64_t>(ports));

  // The pipe is read again, and the refusals end: all three sinks equal the kernel, with only the newest state.
  refusing = false;
  std::string json;
  process_until(*synchronizer, [&] {
    json += read_json();
    return synchronizer->drained() && accepted.size() == ports;
  });
  json += read_json();
  BOOST_TEST(synchronizer->synchronized());
  for (int i = 0; i < ports; ++i) {
    const std::string last = json.substr(json.rfind("\"port\":\"" + port_name(i) + "\""));
    BOOST_TEST(last.substr(0, last.find('\n')).find("\"mtu\":2009,") != std::string::npos, port_name(i));
    BOOST_TEST((*find_field(accepted[port_name(i)], "mtu") == "2009"));
  }
  BOOST_TEST(redis_equals_kernel());
}

BOOST_FIXTURE_TEST_CASE(redis_dead_does_not_delay_the_others, Fixture) {
  refusing = false;
  std::string json;
  const auto settled = [&] {
    json += read_json();
    return synchronizer->drained();
  };
  process_until(*synchronizer, [&] { return settled() && synchronizer->synchronized(); });
  redis.kill();
  for (int i = 0; i < ports; ++i) rtnl.set_mtu(100 + i, 3000);
  process_until(*synchronizer, [&] {
    json += read_json();
    for (int i = 0; i < ports; ++i) {
      if (*find_field(accepted[port_name(i)], "mtu") != "3000") return false;
    }
    return true;
  });
  process_until(*synchronizer, [this] { return !redis_sink->statistics().open; });
  redis.start();
  process_until(*synchronizer, [&] { return settled() && redis_equals_kernel(); });
}
