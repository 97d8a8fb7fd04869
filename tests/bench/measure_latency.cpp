// SPDX-License-Identifier: Apache-2.0
// The daemon and the bare loop take turns: while one is measured, the other is stopped, so that both meet the same
// machine. One thread makes the change, listens and watches the row, one after the other, because a second thread would
// take a processor from what is measured.
#include <linux/if.h>

#include <array>
#include <stdexcept>
#include <thread>

#include "bare_loop.hpp"
#include "measurements.hpp"

namespace portsync::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto pause_between_changes = 2ms;  // until all processes sleep again

enum class Change { mtu, admin, carrier };
constexpr std::array<const char*, 3> change_names{"mtu", "admin", "carrier"};

// The program that writes rows: the daemon or the bare loop.
struct Writer {
  Writer(Process& measured, const Testbed& bed, int database) : process(measured), watch(bed.redis_path(), database) {}
  Process& process;
  RowWatch watch;
  std::vector<double> latencies;    // µs, from the kernel's message
  std::vector<double> with_change;  // µs, from the request to change the link
  std::uint64_t commands = 0;
};

class Latency {
 public:
  Latency(Testbed& bed, Change change) : bed_(bed), change_(change) {}

  // The writer is stopped before and after.
  void round(Writer& writer, int samples) {
    writer.process.resume();
    settle(writer);
    const std::uint64_t before = bed_.redis().foreign_commands();
    for (int i = 0; i < samples; ++i) one(writer);
    writer.commands += bed_.redis().foreign_commands() - before;
    writer.process.stop();
  }
  // Returns the daemon's system calls for so many changes.
  std::optional<std::uint64_t> system_calls(Writer& writer, int samples) {
    writer.process.resume();
    settle(writer);
    const auto calls = count_system_calls(writer.process, [&] {
      for (int i = 0; i < samples; ++i) one(writer);
    });
    writer.process.stop();
    return calls;
  }

 private:
  // When the last port's new mtu is stored, everything that waited for the writer is done.
  void settle(Writer& writer) {
    std::this_thread::sleep_for(10ms);
    const std::size_t port = bed_.ports() - 1;
    bed_.change_mtu(port);
    if (!writer.watch.wait(bed_.rows()[port].port, "mtu", bed_.rows()[port].mtu)) missing("its row", port);
  }

  void one(Writer& writer) {
    listener_.drain();
    writer.watch.discard();
    const auto asked = Clock::now();
    make();
    const Row& row = bed_.rows()[port_];
    const auto notified = listener_.wait([&](const Link& link) { return reports(link, row); });
    const auto stored = writer.watch.wait(row.port, field(), value(row));
    if (!notified) missing("the kernel's message", port_);
    if (!stored) missing("its row", port_);
    writer.latencies.push_back(microseconds(*stored - *notified));
    writer.with_change.push_back(microseconds(*stored - asked));
    port_ = (port_ + 1) % bed_.ports();
    std::this_thread::sleep_for(pause_between_changes);
  }

  void make() {
    switch (change_) {
      case Change::mtu:
        return bed_.change_mtu(port_);
      case Change::admin:
        return bed_.toggle_admin(port_);
      case Change::carrier:
        return bed_.toggle_carrier(port_);
    }
  }
  [[nodiscard]] bool reports(const Link& link, const Row& row) const {
    if (link.ifindex != bed_.ifindex(port_)) return false;
    if (change_ == Change::mtu) return std::to_string(link.mtu) == row.mtu;
    if (change_ == Change::admin) return ((link.flags & IFF_UP) != 0) == row.admin_up;
    return ((link.flags & IFF_RUNNING) != 0) == row.oper_up;
  }
  [[nodiscard]] std::string_view field() const {
    if (change_ == Change::mtu) return "mtu";
    return change_ == Change::admin ? "admin_status" : "netdev_oper_status";
  }
  [[nodiscard]] std::string_view value(const Row& row) const {
    if (change_ == Change::mtu) return row.mtu;
    return (change_ == Change::admin ? row.admin_up : row.oper_up) ? "up" : "down";
  }
  [[noreturn]] void missing(const std::string& what, std::size_t port) const {
    throw std::runtime_error(bed_.rows()[port].port + " was changed, but " + what + " did not come");
  }

  Testbed& bed_;
  Change change_;
  LinkListener listener_;
  std::size_t port_ = 0;
};

void measure(Bench& bench, Change change, Writer& daemon, Writer& bare) {
  const int rounds = bench.quick ? 2 : 5;
  const int samples = bench.quick ? 50 : 100;
  for (Writer* writer : {&daemon, &bare}) {
    writer->latencies.clear();
    writer->with_change.clear();
    writer->commands = 0;
  }
  Latency latency(bench.bed, change);
  for (int i = 0; i < rounds; ++i) {
    latency.round(daemon, samples);
    latency.round(bare, samples);
  }
  const std::string name = std::string("latency ") + change_names[static_cast<std::size_t>(change)] + ", ";
  const double changes = rounds * samples;
  Report& report = bench.report;
  report.add({name + "median", median(daemon.latencies), "µs", median(bare.latencies), "<= 1.4 x"});
  report.add({name + "p99", quantile(daemon.latencies, 0.99), "µs", quantile(bare.latencies, 0.99), "<= 1.8 x"});
  report.add({name + "median with the change", median(daemon.with_change), "µs", median(bare.with_change), ""});
  report.add({name + "Redis commands", static_cast<double>(daemon.commands) / changes, "/change",
              static_cast<double>(bare.commands) / changes, ""});
  if (const auto calls = latency.system_calls(daemon, samples)) {
    report.add({name + "system calls", static_cast<double>(*calls) / samples, "/change", {}, ""});
  }
  bench.bed.restore();
}

}  // namespace

void measure_latency(Bench& bench) {
  ReadyDaemon portsyncd(bench);
  Process bare_loop(bench.daemon.processor);
  bare_loop.fork([&] { run_bare_loop(bench.bed.redis_path(), floor_db); });
  std::this_thread::sleep_for(100ms);
  Writer daemon(portsyncd.process(), bench.bed, state_db);
  Writer bare(bare_loop, bench.bed, floor_db);
  daemon.process.stop();
  bare.process.stop();
  for (const Change change : {Change::mtu, Change::admin, Change::carrier}) measure(bench, change, daemon, bare);
  daemon.process.resume();
  daemon.watch.wait_equal(bench.bed.rows(), convergence_limit);
}

}  // namespace portsync::bench
