// SPDX-License-Identifier: Apache-2.0
#include "sim/runner.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <portsync/error.hpp>
#include <sstream>
#include <utility>

#include "sim/links.hpp"
#include "sim/machine.hpp"
#include "sim/process.hpp"
#include "sim/swss.hpp"
#include "sim/troubles.hpp"

namespace sim {
namespace {

constexpr std::uint64_t most_idle_turns = 300;   // in a row, without a byte read or written and without an event
constexpr std::uint64_t most_calls = 6'000;      // in one turn
constexpr Time longest_block = 100 * millisecond;
constexpr std::size_t most_descriptors = 64;

class Runner {
 public:
  explicit Runner(const Scenario& scenario, bool verbose)
      : scenario_(scenario),
        setup_(scenario.setup),
        verbose_(verbose),
        machine_(setup_.seed, setup_.kernel),
        server_(machine_.world, "a"),
        judge_(machine_.world, setup_, machine_.kernel, server_),
        links_(machine_.kernel, setup_),
        swss_(machine_.world, machine_.kernel, server_, judge_, setup_),
        troubles_(machine_, server_, judge_, setup_) {
    machine_.network.style = setup_.network;
    machine_.network.listen(server_address(setup_), server_);
    machine_.network.set_name(server_name, {"127.0.0.1"});
    machine_.kernel.set_observer([this](const Link& link, bool gone) {
      gone ? judge_.on_link_gone(link) : judge_.on_link(link);
      if (!gone) swss_.on_link(link.name);
    });
    server_.set_observer([this](int database, const std::string& key, std::uint64_t client) {
      judge_.on_key(database, key, client);
      if (setup_.sonic) swss_.on_key(database, key);
      machine_.world.trace(key.size() + static_cast<std::uint64_t>(machine_.world.now()));
    });
    server_.set_spy([this](std::uint64_t client, int database, const auto& words) {
      judge_.on_command(client, database, words);
      if (verbose_ && words[0] != "HMGET") note_command(client, words);
    });
    judge_.set_filter(filter_);
    if (setup_.sonic) swss_.start();
    faults(true);
  }

  Outcome play() {
    start_process();
    for (const Step& step : scenario_.steps) {
      run_for(step.delay);
      if (judge_.failure()) break;
      do_step(step);
      if (judge_.failure()) break;
    }
    outcome_.failure = judge_.failure();
    outcome_.writes = judge_.writes();
    outcome_.simulated = machine_.world.now();
    outcome_.fingerprint = machine_.world.fingerprint() ^ static_cast<std::uint64_t>(machine_.world.now());
    outcome_.operations = links_.operations();
    if (outcome_.failure && process_) log_ << process_->describe();
    process_.reset();
    machine_.world.end_threads();
    outcome_.log = log_.str();
    return std::move(outcome_);
  }

 private:
  World& world() { return machine_.world; }

  void faults(bool on) {
    machine_.kernel.faults = on ? setup_.kernel_faults : KernelFaults{};
    machine_.world.faults = on ? setup_.system_faults : SystemFaults{};
    machine_.network.style.late = on ? setup_.network.late : 0;
  }

  void note(const std::string& text) {
    if (verbose_) log_ << world().now() / microsecond << " us  " << text << '\n';
  }

  void note_command(std::uint64_t client, const std::vector<std::string_view>& words) {
    std::string text = "redis client " + std::to_string(client) + ":";
    for (const std::string_view word : words) text.append(" ").append(word.substr(0, 40));
    note(text);
  }

  // ---- the process

  void start_process() {
    judge_.on_process_started();
    // A factory may fail because no descriptor is free; a supervisor would start the process again.
    for (int attempt = 0; attempt < 100 && !process_; ++attempt) {
      try {
        const auto make = setup_.app ? make_app_process : make_library_process;
        process_ = make(setup_, filter_, [this](std::int32_t ifindex) { judge_.ignore(ifindex); });
      } catch (const std::system_error& error) {
        note(std::string("cannot start: ") + error.what());
        const Time later = world().now() + second;
        while (world().advance(later)) {
        }
      }
    }
    if (!process_) judge_.fail("start", "the process did not start");
  }

  void turn() {
    World& w = world();
    w.counters.longest_block = 0;
    const std::uint64_t calls = w.counters.calls;
    const std::uint64_t bytes = w.counters.bytes;
    const std::uint64_t events = w.events_run();
    ++outcome_.turns;
    if (const std::error_code error = process_->turn()) {
      return judge_.fail("final", "process() returned " + error.message());
    }
    if (!process_->lie().empty()) return judge_.fail("app", process_->lie());
    if (!process_->ended().empty()) {
      note(process_->ended());
      ended_ = true;
    }
    idle_turns_ = w.counters.bytes == bytes && w.events_run() == events ? idle_turns_ + 1 : 0;
    if (idle_turns_ > most_idle_turns) judge_.fail("spin", "the loop turns and does nothing");
    if (w.counters.calls - calls > most_calls) {
      judge_.fail("bounded", std::to_string(w.counters.calls - calls) + " system calls in one turn");
    }
    if (w.counters.longest_block > longest_block) {
      judge_.fail("blocked", std::string("the loop slept in ") + w.counters.blocked_in + " for " +
                                 std::to_string(w.counters.longest_block / millisecond) + " ms");
    }
    if (w.open_descriptors() > most_descriptors) {
      judge_.fail("growth", std::to_string(w.open_descriptors()) + " descriptors are open");
    }
  }

  void run_for(Time duration) { run_until(world().now() + duration); }

  void run_until(Time end) {
    World& w = world();
    while (!judge_.failure()) {
      if (process_ && process_->ready()) {
        turn();
        look();
        if (std::exchange(ended_, false)) restart_swss(false, 100 * millisecond);
        if (w.now() >= end) break;
      } else if (!w.advance(end)) {
        look();
        break;
      } else {
        look();
      }
    }
  }

  void look() {
    if (!process_) return judge_.look(std::nullopt, 0);
    const std::optional<portsync::Health> health = process_->health();
    if (verbose_ && health && !(*health == health_)) {
      note("health: " + to_string(*health));
      health_ = *health;
    }
    judge_.look(health, troubles_.slack());
  }

  // ---- steps

  void do_step(const Step& step) {
    if (verbose_) {
      note(std::string(to_string(step.act)) + " " + std::to_string(step.a) + " " + std::to_string(step.b) + " " +
           std::to_string(step.c));
    }
    if (step.act <= Act::others) return links_.act(step);
    switch (step.act) {
      case Act::reload:
        if (process_) process_->set_filter(filter_);
        return;
      case Act::resync:
        if (process_) process_->resync(step.a % 4 == 0);
        return;
      case Act::audit:
        if (process_) process_->audit(step.a % 2 == 0 ? portsync::Scope::all : portsync::Scope::listed);
        return;
      case Act::restart:
        return restart();
      case Act::kill_process:
        process_.reset();
        run_for(static_cast<Time>(step.c) % 2000 * millisecond);
        return start_process();
      case Act::swss_restart:
        if (setup_.sonic) restart_swss(step.a % 3 == 0, static_cast<Time>(step.c) % 3000 * millisecond);
        return;
      case Act::calm:
        return calm();
      // These make SONiC's other daemons deaf, or remove CONFIG_DB, so swss must restart as a whole.
      case Act::stop_redis:
      case Act::restart_redis:
      case Act::rollback:
        if (setup_.sonic) return;
        return troubles_.act(step);
      default:
        return troubles_.act(step);
    }
  }

  void restart() {
    process_->stop();
    const Time limit = world().now() + 5 * second;
    while (!process_->stopped() && world().now() < limit && !judge_.failure()) run_for(10 * millisecond);
    process_.reset();
    start_process();
  }

  void restart_swss(bool leave_netdevs, Time pause) {
    process_.reset();
    end_pause();  // the FLUSHDB of swss is served after what the process has sent
    swss_.stop(leave_netdevs);
    run_for(pause);
    swss_.start();
    start_process();
  }

  // Runs until the server serves commands again.
  void end_pause() {
    if (server_.paused_until() >= world().now()) run_until(server_.paused_until() + millisecond);
  }

  // ---- what must be true when all troubles have ended

  void calm() {
    faults(false);
    troubles_.end();
    end_pause();  // a command that waits for its end may make a row wrong that is right until then
    if (!setup_.sonic && !judge_.has_port()) links_.add_first();
    // Time for what is outstanding: an attempt to connect, a pause, the audits that look for rows of unknown names.
    const Time rows_limit = setup_.timeout * 2 + setup_.retry_interval * 3 + 12 * second +
                            setup_.audit_interval * (setup_.full_audit_every + 1);
    run_for(2 * second);  // time for the link watch
    const Time began = world().now();
    if (setup_.sonic) {
      run_for(setup_.timeout * 2 + setup_.retry_interval * 3 + 8 * second);
      swss_.make_netdevs();
      run_for(second);
    }
    while (!judge_.failure() && !judge_.wrong().empty() && world().now() < began + rows_limit) run_for(100 * millisecond);
    if (judge_.failure()) return;
    if (!judge_.wrong().empty()) return judge_.fail("rows", judge_.describe_wrong());
    const Time health_limit = world().now() + 130 * second;
    while (!judge_.failure() && !healthy() && world().now() < health_limit) run_for(second);
    if (judge_.failure()) return;
    if (!healthy()) {
      return judge_.fail("recovery", process_->health() ? "still " + to_string(*process_->health()) : "still waiting");
    }
    // An audit finds a link that was replaced while no message of it arrived, and writes its row again though it is
    // equal.
    if (setup_.whole_key) run_for(setup_.audit_interval + 2 * second);
    if (setup_.sonic && !swss_.init_done()) return judge_.fail("missing", "PortInitDone was not said");
    quiet();
    faults(true);
    troubles_.begin();
  }

  [[nodiscard]] bool healthy() const {
    const auto health = process_->health();
    return health && health->verdict == portsync::Verdict::healthy;
  }

  // Nothing happens, so nothing may be written and the loop may hardly turn.
  void quiet() {
    const std::uint64_t writes = judge_.writes();
    const std::uint64_t turns = outcome_.turns;
    const Time duration = 12 * second;
    run_for(duration);
    if (judge_.failure()) return;
    if (judge_.writes() != writes) return judge_.fail("quiet", "rows were written although nothing has changed");
    if (!judge_.wrong().empty()) return judge_.fail("rows", judge_.describe_wrong());
    const std::uint64_t most = 400 + 40 * links_.count();
    if (outcome_.turns - turns > most) {
      judge_.fail("quiet", std::to_string(outcome_.turns - turns) + " turns in 12 s although nothing has happened");
    }
  }

  const Scenario& scenario_;
  const Setup& setup_;
  const bool verbose_;
  std::ostringstream log_;
  Machine machine_;
  RedisServer server_;
  portsync::PortFilter filter_;
  Judge judge_;
  Links links_;
  Swss swss_;
  Troubles troubles_;
  std::unique_ptr<Process> process_;
  portsync::Health health_;
  Outcome outcome_;
  std::uint64_t idle_turns_ = 0;
  bool ended_ = false;  // the process exited by itself, so swss restarts
};

}  // namespace

Outcome run(const Scenario& scenario, bool verbose) {
  Runner runner(scenario, verbose);
  return runner.play();
}

}  // namespace sim
