// SPDX-License-Identifier: Apache-2.0
// Each round has two halves. In the first, a reader of ours gets the events while the daemon handles its own copies;
// the reader then drains its backlog, which is the floor. In the second, the daemon is stopped while the events queue,
// and then resumed; nothing else runs.
#include <time.h>
#include <stdexcept>
#include <thread>

#include "measurements.hpp"

namespace portsync::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t changes = 3000;
constexpr auto idle_time = 20ms;  // until it sleeps again and its CPU time is accounted

double own_cpu_us() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

struct Samples {
  std::vector<double> rate;  // events/s
  std::vector<double> cpu;   // µs/event
  void add(double events, Clock::duration time, double cpu_us) {
    rate.push_back(events / seconds(time));
    cpu.push_back(cpu_us / events);
  }
};

class Drain {
 public:
  explicit Drain(Bench& bench) : bench_(bench), daemon_(bench), watch_(bench.bed.redis_path(), state_db) {}

  void floor_round(Samples& samples) {
    LinkListener reader;
    bench_.bed.flood(changes);
    watch_.wait_equal(bench_.bed.rows(), convergence_limit);
    std::this_thread::sleep_for(idle_time);
    const double cpu = own_cpu_us();
    const auto start = Clock::now();
    const std::size_t messages = reader.drain();
    const auto end = Clock::now();
    if (messages < changes) throw std::runtime_error("the bare reader lost events");
    events_ = static_cast<double>(messages);
    samples.add(events_, end - start, own_cpu_us() - cpu);
  }

  void daemon_round(Samples& samples) {
    fill();
    const std::uint64_t cpu = daemon_.process().cpu_ns();
    const auto time = go_on();
    std::this_thread::sleep_for(idle_time);
    samples.add(events_, time, static_cast<double>(daemon_.process().cpu_ns() - cpu) / 1000);
  }

  [[nodiscard]] std::uint64_t redis_commands() {
    fill();
    const std::uint64_t before = bench_.bed.redis().foreign_commands();
    go_on();
    std::this_thread::sleep_for(idle_time);
    return bench_.bed.redis().foreign_commands() - before;
  }

  [[nodiscard]] std::optional<double> system_calls_per_event() {
    fill();
    const auto calls = count_system_calls(daemon_.process(), [this] {
      go_on();
      std::this_thread::sleep_for(idle_time);
    });
    daemon_.process().resume();
    if (!calls) return std::nullopt;
    return static_cast<double>(*calls) / events_;
  }

 private:
  void fill() {
    daemon_.process().stop();
    bench_.bed.flood(changes);
    watch_.discard();
  }
  Clock::duration go_on() {
    const auto start = Clock::now();
    daemon_.process().resume();
    return watch_.wait_equal(bench_.bed.rows(), convergence_limit) - start;
  }

  Bench& bench_;
  ReadyDaemon daemon_;
  RowWatch watch_;
  double events_ = changes;
};

}  // namespace

void measure_drain(Bench& bench) {
  Drain drain(bench);
  Samples floor;
  Samples daemon;
  for (int i = 0; i < (bench.quick ? 3 : 15); ++i) {
    drain.floor_round(floor);
    drain.daemon_round(daemon);
  }
  const std::string name = "drain of 3,000 events, " + at_ports(bench.bed) + ", ";
  bench.report.add({name + "events", median(daemon.rate), "/s", median(floor.rate), ">= 0.5 x"});
  bench.report.add({name + "daemon CPU", median(daemon.cpu), "µs/event", median(floor.cpu), "<= 2 x"});
  bench.report.add({name + "Redis commands", static_cast<double>(drain.redis_commands()), "",
                    static_cast<double>(bench.bed.ports()), "<= rows + 3 a batch"});
  if (const auto calls = drain.system_calls_per_event()) {
    bench.report.add({name + "system calls", *calls, "/event", 1, "<= 0.1"});
  }
}

}  // namespace portsync::bench
