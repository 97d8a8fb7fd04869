// SPDX-License-Identifier: Apache-2.0
#include "faces/metrics/metrics_exporter.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <portsync/version.hpp>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/listen_address.hpp"
#include "base/text_check.hpp"
#include "build_info.hpp"
#include "faces/metrics/metric_table.hpp"

namespace portsyncd {
namespace {

using namespace std::chrono_literals;

constexpr auto update_interval = 1s;
// Series of ports are added and removed some at a time, so that rows need not wait. The library allocates memory to add
// a series, and searches the whole family to remove one.
constexpr std::size_t most_added_at_once = 128;
constexpr std::size_t most_removed_at_once = 16;
constexpr auto pause_between_ports = 5ms;

// Blocks every signal while it exists, so that a thread started meanwhile never takes a signal from the loop.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

// A socket for an address. civetweb, the library's web server, does not report why it cannot listen; listen() here
// finds the reason.
class Socket {
 public:
  explicit Socket(const ListenAddress& address) {
    const bool is_ipv4 = address.family == ListenAddress::Family::ipv4;
    fd_ = ::socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (is_ipv4) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      v4.sin_port = htons(address.port);
      ::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr);
      size_ = sizeof v4;
      std::memcpy(&address_, &v4, size_);
    } else {
      sockaddr_in6 v6{};  // the unspecified address means all addresses
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(address.port);
      if (!address.host.empty()) ::inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr);
      size_ = sizeof v6;
      std::memcpy(&address_, &v6, size_);
    }
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }

  // Returns 0 or an errno.
  [[nodiscard]] int listen() const {
    const int on = 1;
    if (fd_ < 0) return errno;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return ::bind(fd_, address(), size_) == 0 && ::listen(fd_, 1) == 0 ? 0 : errno;
  }
  void connect() const { (void)::connect(fd_, address(), size_); }

 private:
  [[nodiscard]] const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }

  int fd_ = -1;
  sockaddr_storage address_{};
  socklen_t size_ = 0;
};

// The library's web server. It has three threads: one accepts, and two reply, so that a slow scraper does not block
// another one.
class Server {
 public:
  Server(const std::string& listen, const std::shared_ptr<prometheus::Registry>& registry)
      : address_(*parse_listen_address(listen)) {
    const bool all = address_.family == ListenAddress::Family::all;
    const std::vector<std::string> options{"listening_ports",    all ? "+" + std::to_string(address_.port) : listen,
                                           "num_threads",        "2",
                                           "request_timeout_ms", "5000"};
    const NoSignals no_signals;
    try {
      exposer_ = std::make_unique<prometheus::Exposer>(options);
    } catch (const std::runtime_error&) {  // without the reason
      const int why = Socket(address_).listen();
      if (why != 0) throw std::runtime_error(std::generic_category().message(why));
      if (address_.family == ListenAddress::Family::ipv6) {
        throw std::runtime_error("civetweb, the web server that prometheus-cpp uses, was built without IPv6 here");
      }
      throw;
    }
    exposer_->RegisterCollectable(registry);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Ends the server. Its accepting thread checks for the end every 2 s and after each connection, so this connects to
  // it.
  ~Server() {
    try {
      const auto ended = std::async(std::launch::async, [this] { exposer_.reset(); });
      while (ended.wait_for(5ms) != std::future_status::ready) Socket(address_).connect();
    } catch (const std::system_error&) {  // no thread available: the end takes 2 s
      exposer_.reset();
    }
  }

 private:
  ListenAddress address_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

// Replaces each control character in the name, such as an escape with "\\x1b". Different names stay different.
std::string visible(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (!is_control(c)) {
      text += c;
      continue;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    ((text += "\\x") += digits[byte >> 4U]) += digits[byte & 0xfU];
  }
  return text;
}

prometheus::Labels build_labels() {
  return {{"version", portsync::version()},
          {"compiler", compiler()},
          {"prometheus_cpp", PORTSYNCD_PROMETHEUS_VERSION},
          {"sdbus_cpp", PORTSYNCD_SDBUS_VERSION}};
}

double seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

void raise(prometheus::Counter& counter, std::uint64_t now) {
  const double more = static_cast<double>(now) - counter.Value();
  if (more > 0) counter.Increment(more);
}

}  // namespace

class MetricsExporter::Impl final : public Control::Observer {
 public:
  Impl(const std::string& listen, Control& control, EventLoop& loop)
      : control_(control),
        timer_(loop, [this] { on_timer(); }),
        ports_timer_(loop,
                     [this] {
                       read();
                       show_reading();
                     }),
        latency_(
            prometheus::BuildHistogram()
                .Name("portsyncd_row_latency_seconds")
                .Help("From reading a link message to the row's acknowledgement.")
                .Register(*registry_)
                .Add({}, prometheus::Histogram::BucketBoundaries(latency_buckets().begin(), latency_buckets().end()))),
        port_flaps_(prometheus::BuildCounter()
                        .Name("portsyncd_port_flaps_total")
                        .Help("Times that the port lost its carrier, by the kernel's count.")
                        .Register(*registry_)),
        port_up_(prometheus::BuildGauge()
                     .Name("portsyncd_port_up")
                     .Help("1 while the port's netdev is running: netdev_oper_status.")
                     .Register(*registry_)) {
    for (const CounterMetric& metric : counter_metrics()) {
      counters_.push_back(
          {metric.value, prometheus::BuildCounter().Name(metric.name).Help(metric.help).Register(*registry_).Add({})});
    }
    for (const GaugeMetric& metric : gauge_metrics()) {
      gauges_.push_back(
          {metric.value, prometheus::BuildGauge().Name(metric.name).Help(metric.help).Register(*registry_).Add({})});
    }
    const Control::Status status = control_.status();
    verdict_ = worst_verdict_ = status.health.verdict;
    register_facts(status);
    on_timer();
    server_.emplace(listen, registry_);
    control_.add_observer(*this);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() override { control_.remove_observer(*this); }

  void update_later() {
    if (!std::exchange(update_due_, true)) timer_.start(update_interval);
  }

  void on_port_changed(const Control::PortChange& change) override {
    if (change.events > 0) latency_.Observe(std::chrono::duration<double>(change.latency).count());
    ports_may_differ_ = true;
  }
  void on_health_changed(const Control::Transition& transition) override {
    if (transition.now.verdict > verdict_) ++shown_.times_worse;
    verdict_ = transition.now.verdict;
    worst_verdict_ = std::max(worst_verdict_, verdict_);
    update_later();
  }
  void on_resynchronized(portsync::Cause /*cause*/, std::size_t /*ports*/) override { ports_may_differ_ = true; }
  void on_store_changed(bool open) override {
    if (!open) store_was_closed_ = true;
  }

 private:
  template <typename Value, typename Metric>
  struct Shown {
    Value value;
    Metric& metric;
  };
  struct PortNow {
    std::uint64_t flaps = 0;
    bool up = false;
  };
  struct Port {
    prometheus::Counter* flaps = nullptr;
    prometheus::Gauge* up = nullptr;
    PortNow shown;
    std::uint32_t round = 0;  // the last round that saw it
  };
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>{}(name); }
  };

  void register_facts(const Control::Status& status) {
    prometheus::BuildGauge()
        .Name("portsyncd_build_info")
        .Help("Always 1; its labels describe this build of portsyncd.")
        .Register(*registry_)
        .Add(build_labels())
        .Set(1);
    prometheus::BuildGauge()
        .Name("portsyncd_start_time_seconds")
        .Help("When portsyncd was started, in seconds since 1970.")
        .Register(*registry_)
        .Add({})
        .Set(seconds(status.started));
  }

  void on_timer() {
    update_due_ = false;
    read();
    take_worst();
    show_reading();
  }

  void read() { shown_.statistics = control_.statistics(); }

  void show_reading() {
    for (const auto& [value, metric] : counters_) raise(metric, value(shown_));
    for (const auto& [value, metric] : gauges_) metric.Set(value(shown_));
    const std::uint64_t events = shown_.statistics.sync.events;
    // Any event may have changed the flaps: a flap between two messages does not change the row.
    if (std::exchange(events_seen_, events) != events) ports_may_differ_ = true;
    if (ports_may_differ_) update_ports();
  }

  // A worse state that has ended is shown until the next call, which is therefore scheduled.
  void take_worst() {
    const std::uint64_t failures = shown_.statistics.source.probe_failures;
    shown_.verdict = std::exchange(worst_verdict_, verdict_);
    shown_.store_was_closed = std::exchange(store_was_closed_, false);
    shown_.was_deaf = std::exchange(probe_failures_seen_, failures) != failures;
    if (shown_.verdict != verdict_ || shown_.store_was_closed || shown_.was_deaf) update_later();
  }

  void update_ports() {
    ports_may_differ_ = false;
    ++round_;
    may_add_ = most_added_at_once;
    may_remove_ = most_removed_at_once;
    for (const portsync::PortStatus& port : control_.ports_in_no_order()) update_port(port);
    for (auto port = ports_.begin(); port != ports_.end();) {
      if (port->second.round != round_ && remove(port->second)) {
        port = ports_.erase(port);
      } else {
        ++port;
      }
    }
    if (ports_may_differ_) ports_timer_.start(pause_between_ports);
  }

  void update_port(const portsync::PortStatus& status) {
    const PortNow now{status.flaps.total, status.link->running()};
    const auto known = ports_.find(status.name);
    if (known == ports_.end()) {
      if (is_utf8(status.name)) add(status.name, now);  // Prometheus would refuse a page with another name
      return;
    }
    Port& port = known->second;
    port.round = round_;
    if (now.flaps >= port.shown.flaps) return show(port, now);
    // A recreated port counts from 0 again, so its series is replaced.
    if (!remove(port)) return;
    ports_.erase(known);
    add(status.name, now);
  }

  void add(std::string_view name, PortNow now) {
    if (!take(may_add_)) return;
    const prometheus::Labels labels{{"port", visible(name)}};
    Port& port = ports_[std::string(name)];
    port = {&port_flaps_.Add(labels), &port_up_.Add(labels), {}, round_};
    show(port, now);
  }

  bool remove(const Port& port) {
    if (!take(may_remove_)) return false;
    port_flaps_.Remove(port.flaps);
    port_up_.Remove(port.up);
    return true;
  }

  bool take(std::size_t& left) {
    if (left == 0) ports_may_differ_ = true;
    return left > 0 && left-- > 0;
  }

  static void show(Port& port, PortNow now) {
    if (now.flaps == port.shown.flaps && now.up == port.shown.up) return;
    raise(*port.flaps, now.flaps);
    port.up->Set(now.up ? 1 : 0);
    port.shown = now;
  }

  Control& control_;
  EventLoop::Timer timer_;
  EventLoop::Timer ports_timer_;
  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  prometheus::Histogram& latency_;
  prometheus::Family<prometheus::Counter>& port_flaps_;
  prometheus::Family<prometheus::Gauge>& port_up_;
  std::vector<Shown<decltype(CounterMetric::value), prometheus::Counter>> counters_;
  std::vector<Shown<decltype(GaugeMetric::value), prometheus::Gauge>> gauges_;
  std::unordered_map<std::string, Port, NameHash, std::equal_to<>> ports_;  // with series
  portsync::Verdict verdict_ = portsync::Verdict::degraded;
  portsync::Verdict worst_verdict_ = portsync::Verdict::degraded;  // since take_worst()
  MetricReading shown_;
  std::uint64_t probe_failures_seen_ = 0;
  std::uint64_t events_seen_ = 0;
  std::uint32_t round_ = 0;
  std::size_t may_add_ = 0;
  std::size_t may_remove_ = 0;
  bool ports_may_differ_ = true;
  bool store_was_closed_ = false;  // since take_worst()
  bool update_due_ = false;
  std::optional<Server> server_;  // destroyed first, because it reads the registry
};

MetricsExporter::MetricsExporter(const std::string& listen, Control& control, EventLoop& loop)
    : impl_(std::make_unique<Impl>(listen, control, loop)) {}

MetricsExporter::~MetricsExporter() = default;

void MetricsExporter::update_later() {
  impl_->update_later();
}

}  // namespace portsyncd
