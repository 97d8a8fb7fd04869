// SPDX-License-Identifier: Apache-2.0
// The rule of threads: one thread at a time uses an object, and different threads may use different objects at once.
// Each thread here has a Synchronizer of its own, with everything that it drives. The TSan build of tests/run.sh --all
// checks for races.
#define BOOST_TEST_MODULE threads
#include <fcntl.h>
#include <poll.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <memory>
#include <portsync/health_monitor.hpp>
#include <portsync/json_lines_sink.hpp>
#include <portsync/netlink/link_source.hpp>
#include <portsync/redis/state_sink.hpp>
#include <portsync/synchronizer.hpp>
#include <string>
#include <thread>
#include <vector>

#include "os/descriptor.hpp"
#include "support/cpp/netns.hpp"
#include "support/cpp/redis_server.hpp"
#include "support/cpp/rtnl.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

namespace {

constexpr int threads = 4;
constexpr std::int32_t loopback = 1;

// One thread's Synchronizer with its source, three sinks and its monitor, and the link that the thread changes.
class Follower {
 public:
  // Connects to `redis_port` by a host name, so that a resolver's thread takes part.
  Follower(int number, const RedisServer& server, std::uint16_t redis_port)
      : ifindex_(100 + number),
        port_("Ethernet" + std::to_string(4 * number)),
        client_(server.socket_path()),
        null_(::open("/dev/null", O_WRONLY | O_CLOEXEC)),
        source_(netlink::make_link_source()),
        json_sink_(make_json_lines_sink({null_.get()})),
        callback_sink_(make_callback_sink(
            [this](const PortRecord& record) {
              rows_[record.port] = record;
              return std::error_code{};
            },
            [this](std::string_view port) {
              rows_.erase(std::string(port));
              return std::error_code{};
            })),
        monitor_(make_health_monitor({})) {
    rtnl_.add_veth(port_, ifindex_, "peer" + std::to_string(number), 200 + number);
    redis::StateSinkOptions options;
    options.connection.host = "localhost";
    options.connection.port = redis_port;
    options.connection.retry_interval = 50ms;
    options.table = table_ = "TABLE" + std::to_string(number);
    redis_sink_ = redis::make_state_sink(options);
    SynchronizerOptions policy;
    policy.filter.match = {port_};
    synchronizer_ = std::make_unique<Synchronizer>(*source_, policy);
    synchronizer_->add_sink(*redis_sink_, redis::make_projection(options), "redis");
    synchronizer_->add_sink(*json_sink_, json_lines_projection(), "json");
    synchronizer_->add_sink(*callback_sink_, redis::make_projection(options), "callback");
    synchronizer_->set_health_monitor(*monitor_);
    synchronizer_->set_listener([this](const SyncEvent& event) { events_ += event.port.size(); });
    monitor_->set_listener([this](const Health&, const Health& now) { healthy_ = now.verdict == Verdict::healthy; });
  }

  // Does the thread's work. Returns what went wrong, or "".
  std::string run() {
    if (synchronizer_->start()) return port_ + ": start()";
    if (!process_until([this] { return synchronizer_->synchronized() && healthy_; }))
      return port_ + ": not synchronized";
    for (std::uint32_t mtu = 1301; mtu <= 1400; ++mtu) {
      rtnl_.set_mtu(ifindex_, mtu);
      if (mtu % 10 == 0 && synchronizer_->resync()) return port_ + ": resync()";
      if (mtu % 25 != 0) continue;
      if (!process_until([this, mtu] { return rows_are(mtu); })) return port_ + ": rows are not " + std::to_string(mtu);
    }
    return synchronizer_->statistics().writes >= 8 && events_ > 0 ? "" : port_ + ": too few writes or events";
  }

 private:
  template <typename Condition>
  bool process_until(Condition condition) {
    for (const TimePoint end = Clock::now() + 30s; !condition();) {
      if (Clock::now() >= end) return false;
      pollfd waiting{synchronizer_->fd(), POLLIN, 0};
      if (::poll(&waiting, 1, 20) > 0 && synchronizer_->process()) return false;
    }
    return true;
  }

  bool rows_are(std::uint32_t mtu) {
    if (!synchronizer_->drained() || rows_.count(port_) == 0) return false;
    const std::string wanted = std::to_string(mtu);
    return *find_field(rows_.at(port_), "mtu") == wanted && client_({"HGET", table_ + '|' + port_, "mtu"}) == wanted;
  }

  const std::int32_t ifindex_;
  const std::string port_;
  std::string table_;
  Rtnl rtnl_;
  RedisClient client_;
  os::Descriptor null_;
  std::unique_ptr<LinkSource> source_;
  std::unique_ptr<StateSink> json_sink_;
  std::unique_ptr<StateSink> callback_sink_;
  std::unique_ptr<StateSink> redis_sink_;
  std::unique_ptr<HealthMonitor> monitor_;
  std::unique_ptr<Synchronizer> synchronizer_;
  std::map<std::string, PortRecord> rows_;
  std::size_t events_ = 0;
  bool healthy_ = false;
};

}  // namespace

// One thread makes the object, another uses it, and the first destroys it.
BOOST_AUTO_TEST_CASE(one_object_per_thread) {
  const Netns netns = Netns::enter_new();
  Rtnl().set_up(loopback, true);
  const std::uint16_t redis_port = free_tcp_port();
  const RedisServer server({"--port", std::to_string(redis_port), "--bind", "127.0.0.1", "::1"});

  std::vector<std::unique_ptr<Follower>> followers;
  for (int i = 0; i < threads; ++i) followers.push_back(std::make_unique<Follower>(i, server, redis_port));
  std::vector<std::string> wrong(threads);
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      try {
        wrong[i] = followers[i]->run();
      } catch (const std::exception& e) {
        wrong[i] = e.what();
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  for (const std::string& what : wrong) BOOST_TEST(what == "");
}
