// SPDX-License-Identifier: Apache-2.0
#include "sim/scenario.hpp"

#include <array>
#include <functional>
#include <sstream>
#include <stdexcept>

#include "sim/random.hpp"

namespace sim {
namespace {

constexpr std::size_t act_count = static_cast<std::size_t>(Act::count);

struct ActInfo {
  const char* name;
  std::uint32_t weight;  // how often it occurs among the acts that are on
  bool is_link;          // always on
};
constexpr std::array<ActInfo, act_count> infos{{
    {"add", 14, true},           {"remove", 8, true},         {"admin", 24, true},      {"carrier", 24, true},
    {"mtu", 14, true},           {"address", 5, true},        {"rename", 5, true},      {"swap", 3, true},
    {"enslave", 6, true},        {"alternative_name", 4, true}, {"replace", 5, true},   {"kind", 1, true},
    {"flap", 4, true},           {"others", 3, true},         {"hold_lock", 2, false},  {"churn", 2, false},
    {"deaf", 1, false},          {"overrun", 3, false},       {"stop_redis", 1, false}, {"restart_redis", 2, false},
    {"pause_redis", 2, false},   {"kill_clients", 2, false},  {"hold_bytes", 2, false}, {"refuse", 2, false},
    {"allow", 2, false},         {"edit_row", 3, false},      {"delete_row", 2, false}, {"foreign_field", 2, false},
    {"foreign_row", 2, false},   {"flush", 1, false},         {"save", 2, false},       {"rollback", 2, false},
    {"idle_timeout", 1, false},  {"reload", 1, false},        {"resync", 2, false},     {"audit", 2, false},
    {"restart", 1, false},       {"kill_process", 1, false},  {"swss_restart", 1, false}, {"calm", 1, false},
}};

Time random_delay(Random& random) {
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return 0;
    case 4:
    case 5:
    case 6:
      return random.between(1, 900) * microsecond;
    case 7:
      return random.between(1, 30) * millisecond;
    case 8:
      return random.between(1, 200) * millisecond;
    default:
      return random.percent(15) ? random.between(1, 15) * second : random.between(1, 900) * microsecond;
  }
}

// Returns 0 in half of the cases.
std::uint32_t rate(Random& random, std::uint32_t most) {
  return random.percent(50) ? 0 : static_cast<std::uint32_t>(random.below(most));
}

Setup make_setup(std::uint64_t seed, Random& random) {
  Setup setup;
  setup.seed = seed;
  constexpr std::array<std::uint32_t, 6> ports{1, 2, 4, 8, 16, 48};
  setup.ports = ports[random.below(ports.size())];
  setup.max_event_queue = random.percent(30) ? static_cast<std::uint32_t>(random.between(1, 20)) : 1000;
  setup.receive_buffer = random.percent(40) ? static_cast<std::uint32_t>(random.between(4, 64)) * 1024 : 1U << 20U;
  setup.audit_interval = random.between(1, 10) * second;
  setup.full_audit_every = static_cast<std::uint32_t>(random.between(1, 4));
  setup.retry_interval = random.between(1, 3) * second;
  setup.timeout = random.between(1, 4) * second;
  setup.index = random.percent(75);
  setup.whole_key = random.percent(30);
  setup.tcp = random.percent(50);
  setup.by_name = setup.tcp && random.percent(50);
  setup.sonic = random.percent(25);
  if (setup.sonic) {
    setup.whole_key = true;
    setup.index = false;
  }
  setup.kernel.carrier_changes = random.percent(90);
  setup.kernel.carrier_counts = setup.kernel.carrier_changes && random.percent(80);
  setup.kernel.padding = random.percent(20) ? static_cast<std::uint32_t>(random.below(1200)) : 0;
  setup.kernel.part_bytes = random.percent(60) ? static_cast<std::uint32_t>(random.between(200, 2000)) : 32768;
  setup.kernel.may_force_buffer = random.percent(80);
  setup.kernel_faults.drop = rate(random, 3'000);
  setup.kernel_faults.foreign = rate(random, 20'000);
  setup.kernel_faults.partial = rate(random, 20'000);
  setup.kernel_faults.late_reply = rate(random, 900'000);
  setup.kernel_faults.refused = rate(random, 30'000);
  setup.kernel_faults.racing = rate(random, 50'000);
  setup.system_faults.interrupted = rate(random, 20'000);
  setup.system_faults.no_descriptor = rate(random, 20'000);
  setup.system_faults.slow = rate(random, 300);
  setup.network.latency = random.percent(80) ? random.between(5, 100) * microsecond : random.between(1, 20) * millisecond;
  setup.network.jitter = random.between(0, 100) * microsecond;
  setup.network.split = rate(random, 900'000);
  setup.network.send_buffer = random.percent(80) ? 212'992 : static_cast<std::size_t>(random.between(500, 5000));
  setup.network.late = random.percent(30) ? random.between(1, 4000) * millisecond : 0;
  // The App erases whole keys in sonic mode alone.
  setup.app = random.percent(70);
  if (setup.app) setup.whole_key = setup.sonic;
  return setup;
}

// Calls on_field(name, value) for each number of a setup. on_field may change it.
template <typename F>
void each_field(Setup& s, F&& on_field) {
  on_field("seed", s.seed);
  on_field("ports", s.ports);
  on_field("max_event_queue", s.max_event_queue);
  on_field("receive_buffer", s.receive_buffer);
  on_field("audit_interval", s.audit_interval);
  on_field("full_audit_every", s.full_audit_every);
  on_field("retry_interval", s.retry_interval);
  on_field("timeout", s.timeout);
  on_field("index", s.index);
  on_field("whole_key", s.whole_key);
  on_field("tcp", s.tcp);
  on_field("by_name", s.by_name);
  on_field("app", s.app);
  on_field("sonic", s.sonic);
  on_field("kernel.carrier_changes", s.kernel.carrier_changes);
  on_field("kernel.carrier_counts", s.kernel.carrier_counts);
  on_field("kernel.padding", s.kernel.padding);
  on_field("kernel.part_bytes", s.kernel.part_bytes);
  on_field("kernel.may_force_buffer", s.kernel.may_force_buffer);
  on_field("kernel.drop", s.kernel_faults.drop);
  on_field("kernel.foreign", s.kernel_faults.foreign);
  on_field("kernel.partial", s.kernel_faults.partial);
  on_field("kernel.late_reply", s.kernel_faults.late_reply);
  on_field("kernel.refused", s.kernel_faults.refused);
  on_field("kernel.racing", s.kernel_faults.racing);
  on_field("system.interrupted", s.system_faults.interrupted);
  on_field("system.no_descriptor", s.system_faults.no_descriptor);
  on_field("system.slow", s.system_faults.slow);
  on_field("network.latency", s.network.latency);
  on_field("network.jitter", s.network.jitter);
  on_field("network.split", s.network.split);
  on_field("network.send_buffer", s.network.send_buffer);
  on_field("network.late", s.network.late);
}

}  // namespace

const char* to_string(Act act) noexcept {
  return act < Act::count ? infos[static_cast<std::size_t>(act)].name : "?";
}

Scenario make_scenario(std::uint64_t seed, std::size_t steps) {
  Random random = Random::derive(seed, 2);
  Scenario scenario;
  scenario.setup = make_setup(seed, random);
  std::array<std::uint32_t, act_count> weights{};
  std::uint64_t sum = 0;
  // One run in four has no faults except those of the setup.
  const std::uint32_t share = random.percent(25) ? 0 : static_cast<std::uint32_t>(random.between(10, 60));
  for (std::size_t i = 0; i < act_count; ++i) {
    const bool on = infos[i].is_link ? random.percent(80) || i < 4 : random.percent(share);
    weights[i] = on || static_cast<Act>(i) == Act::calm ? infos[i].weight : 0;
    sum += weights[i];
  }
  for (std::size_t n = 0; n < steps; ++n) {
    std::uint64_t at = random.below(sum);
    std::size_t act = 0;
    while (at >= weights[act]) at -= weights[act++];
    Step step;
    step.act = static_cast<Act>(act);
    step.delay = random_delay(random);
    step.a = static_cast<std::uint32_t>(random.below(1'000'000));
    step.b = static_cast<std::uint32_t>(random.below(1'000'000));
    step.c = static_cast<std::uint32_t>(random.below(1'000'000));
    scenario.steps.push_back(step);
  }
  scenario.steps.push_back({Act::calm, 0, 0, 0, 0});
  return scenario;
}

std::string to_text(const Scenario& scenario) {
  std::ostringstream out;
  Setup setup = scenario.setup;
  each_field(setup, [&out](const char* name, const auto& value) { out << name << ' ' << value << '\n'; });
  for (const Step& step : scenario.steps) {
    out << "step " << to_string(step.act) << ' ' << step.delay << ' ' << step.a << ' ' << step.b << ' ' << step.c << '\n';
  }
  return out.str();
}

Scenario from_text(const std::string& text) {
  Scenario scenario;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    if (!(words >> name) || name[0] == '#') continue;
    if (name == "step") {
      Step step;
      std::string act;
      words >> act >> step.delay >> step.a >> step.b >> step.c;
      std::size_t i = 0;
      while (i < act_count && act != infos[i].name) ++i;
      if (!words || i == act_count) throw std::runtime_error("not a step: " + line);
      step.act = static_cast<Act>(i);
      scenario.steps.push_back(step);
      continue;
    }
    bool known = false;
    each_field(scenario.setup, [&](const char* field, auto& value) {
      if (name == field) known = static_cast<bool>(words >> value);
    });
    if (!known) throw std::runtime_error("not a line of a scenario: " + line);
  }
  return scenario;
}

}  // namespace sim
