// SPDX-License-Identifier: Apache-2.0
// Tests the descriptors around the engine. unit/core tests the engine.
#define BOOST_TEST_MODULE synchronizer
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <functional>
#include <map>
#include <portsync/synchronizer.hpp>
#include <stdexcept>
#include <string>

#include "support/cpp/fakes.hpp"
#include "support/cpp/wait.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

namespace {

// A source whose process() reports the events that the test has queued.
class QueuedSource final : public LinkSource {
 public:
  QueuedSource() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~QueuedSource() override { ::close(fd_); }
  [[nodiscard]] int fd() const noexcept override { return fd_; }
  [[nodiscard]] std::error_code process() override {
    eventfd_t count = 0;
    ::eventfd_read(fd_, &count);
    std::vector<std::function<void(Handler&)>> now;
    now.swap(queue_);
    for (const auto& event : now) event(handler_);
    return failure;
  }
  [[nodiscard]] std::error_code start(Handler handler) override {
    handler_ = std::move(handler);
    return {};
  }
  [[nodiscard]] std::error_code resync() override {
    ++resyncs;
    return {};
  }
  [[nodiscard]] LinkSourceStatistics statistics() const override { return {}; }

  void say(LinkEvent::Kind kind) {
    push([kind](Handler& handler) { handler({kind, Cause::notified, nullptr, nullptr, Clock::now()}); });
  }
  void change(const LinkState& link) {
    push([link](Handler& handler) {
      handler({LinkEvent::Kind::changed, Cause::notified, &link, nullptr, Clock::now()});
    });
  }
  void wake() { ::eventfd_write(fd_, 1); }

  std::error_code failure;
  int resyncs = 0;

 private:
  void push(std::function<void(Handler&)> event) {
    queue_.push_back(std::move(event));
    wake();
  }

  int fd_;
  Handler handler_;
  std::vector<std::function<void(Handler&)>> queue_;
};

// A monitor whose process() is due.
class DueMonitor final : public HealthMonitor {
 public:
  DueMonitor() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~DueMonitor() override { ::close(fd_); }
  [[nodiscard]] int fd() const noexcept override { return fd_; }
  [[nodiscard]] std::error_code process() override {
    eventfd_t count = 0;
    ::eventfd_read(fd_, &count);
    due = false;
    return {};
  }
  void report(const HealthReport&) override {}
  [[nodiscard]] Health overall() const override { return {}; }
  void set_listener(Listener) override {}
  void set_condition(const std::string&, const Health&) override {}
  void set_options(const HealthOptions&) override {}
  [[nodiscard]] std::vector<HealthTransition> history() const override { return {}; }

  void set_due() {
    due = true;
    ::eventfd_write(fd_, 1);
  }

  bool due = false;

 private:
  int fd_;
};

struct Fixture {
  std::map<std::string, std::string> rows;
  QueuedSource source;
  std::unique_ptr<StateSink> sink = make_callback_sink(
      [this](const PortRecord& record) {
        rows[record.port] = record.fields.at(0).value;
        return std::error_code{};
      },
      [this](std::string_view port) {
        rows.erase(std::string(port));
        return std::error_code{};
      });
  Synchronizer synchronizer{source, {}};

  void begin() {
    synchronizer.add_sink(*sink, test_projection(), "map");
    BOOST_REQUIRE(!synchronizer.start());
    source.change(make_link(7, "Ethernet0"));
    source.say(LinkEvent::Kind::snapshot_end);
    source.say(LinkEvent::Kind::drained);
    process_until(synchronizer, [this] { return synchronizer.synchronized(); });
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(one_descriptor_drives_source_sinks_and_timers) {
  Fixture f;
  f.begin();
  BOOST_TEST(f.rows.at("Ethernet0") == "up");
  f.source.change(make_link(7, "Ethernet0", false));  // never drained, so that the hold's timer decides
  process_until(f.synchronizer, [&f] { return f.rows.at("Ethernet0") == "down"; });
  process_until(f.synchronizer, [&f] { return f.synchronizer.drained(); });
  BOOST_TEST(f.synchronizer.statistics().writes == 2U);
}

// The synchronizer calls the source before it polls, because nearly always the source is ready.
BOOST_AUTO_TEST_CASE(a_source_that_always_has_more_does_not_starve_the_others) {
  Fixture f;
  DueMonitor monitor;
  f.synchronizer.set_health_monitor(monitor);
  f.begin();
  process_until_idle(f.synchronizer);
  monitor.set_due();
  int rounds = 0;
  for (; monitor.due && rounds < 100; ++rounds) {
    f.source.change(make_link(9, "eth0", rounds % 2 == 0));  // no port: nothing is written
    BOOST_REQUIRE(!f.synchronizer.process());
  }
  BOOST_TEST(rounds < 20);
}

BOOST_AUTO_TEST_CASE(what_is_asked_for_outside_process_is_done_inside_it) {
  Fixture f;
  f.begin();
  SynchronizerOptions options;
  options.filter.match = {"eth*"};
  f.synchronizer.set_options(options);
  BOOST_TEST(!f.synchronizer.resync(true));  // the operator confirms that no link matches
  BOOST_TEST(f.rows.size() == 1U);
  process_until(f.synchronizer, [&f] { return f.rows.empty(); });
  BOOST_TEST(f.source.resyncs == 1);
}

BOOST_AUTO_TEST_CASE(an_error_of_the_source_is_final_and_returned) {
  Fixture f;
  f.begin();
  f.source.failure = {EIO, std::system_category()};
  f.source.wake();
  BOOST_TEST((f.synchronizer.process() == f.source.failure));
}

BOOST_AUTO_TEST_CASE(after_stop_what_waits_is_written) {
  Fixture f;
  f.begin();
  f.source.change(make_link(7, "Ethernet0", false));
  BOOST_REQUIRE(!f.synchronizer.process());
  f.synchronizer.stop();
  f.source.change(make_link(7, "Ethernet0", true));
  process_until(f.synchronizer, [&f] { return f.synchronizer.drained(); });
  BOOST_TEST(f.rows.at("Ethernet0") == "down");
}

BOOST_AUTO_TEST_CASE(an_exception_of_a_listener_leaves_it_valid) {
  Fixture f;
  bool fail = false;
  f.synchronizer.set_listener([&fail](const SyncEvent& event) {
    if (fail && event.kind == SyncEvent::Kind::row_written) throw std::runtime_error("listener");
  });
  f.begin();
  fail = true;
  f.source.change(make_link(7, "Ethernet0", false));
  f.source.say(LinkEvent::Kind::drained);
  const auto processed = [&f] {
    for (int i = 0; i < 1000; ++i) {
      if (readable(f.synchronizer)) BOOST_REQUIRE(!f.synchronizer.process());
    }
  };
  BOOST_CHECK_THROW(processed(), std::runtime_error);
  fail = false;
  f.source.change(make_link(7, "Ethernet0", true));
  f.source.say(LinkEvent::Kind::drained);
  process_until(f.synchronizer, [&f] { return f.synchronizer.drained() && f.rows.at("Ethernet0") == "up"; });
}
