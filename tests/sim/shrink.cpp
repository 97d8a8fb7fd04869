// SPDX-License-Identifier: Apache-2.0
#include "sim/shrink.hpp"

#include <algorithm>
#include <chrono>

#include "sim/runner.hpp"

namespace sim {
namespace {

class Shrinker {
 public:
  Shrinker(Scenario scenario, std::string rule) : best_(std::move(scenario)), rule_(std::move(rule)) {}

  Scenario result() {
    // The steps after the failure do not matter, except the calm that found it.
    drop_steps();
    quieten();
    drop_steps();
    shorten();
    return std::move(best_);
  }

 private:
  [[nodiscard]] bool late() const {
    return std::chrono::steady_clock::now() - began_ > std::chrono::seconds(50);
  }

  bool try_it(Scenario candidate) {
    if (late()) return false;
    const Outcome outcome = run(candidate);
    if (!outcome.failure || outcome.failure->rule != rule_) return false;
    best_ = std::move(candidate);
    return true;
  }

  // Removes ever smaller pieces, from the end.
  void drop_steps() {
    for (std::size_t piece = std::max<std::size_t>(best_.steps.size() / 2, 1); piece > 0 && !late(); piece /= 2) {
      std::size_t end = best_.steps.size();
      while (end > 0 && !late()) {
        const std::size_t begin = end > piece ? end - piece : 0;
        Scenario candidate = best_;
        candidate.steps.erase(candidate.steps.begin() + static_cast<std::ptrdiff_t>(begin),
                              candidate.steps.begin() + static_cast<std::ptrdiff_t>(end));
        try_it(std::move(candidate));
        end = std::min(begin, best_.steps.size());
      }
    }
  }

  template <typename F>
  void change(F&& f) {
    Scenario candidate = best_;
    f(candidate.setup);
    try_it(std::move(candidate));
  }

  void quieten() {
    change([](Setup& s) { s.kernel_faults = {}, s.system_faults = {}, s.network = {}, s.kernel = {}; });
    change([](Setup& s) { s.kernel_faults = {}; });
    change([](Setup& s) { s.system_faults = {}; });
    change([](Setup& s) { s.network = {}; });
    change([](Setup& s) { s.kernel = {}; });
    change([](Setup& s) { s.kernel_faults.drop = 0; });
    change([](Setup& s) { s.kernel_faults.foreign = 0; });
    change([](Setup& s) { s.kernel_faults.partial = 0; });
    change([](Setup& s) { s.kernel_faults.late_reply = 0; });
    change([](Setup& s) { s.kernel_faults.refused = 0; });
    change([](Setup& s) { s.kernel_faults.racing = 0; });
    change([](Setup& s) { s.system_faults.interrupted = 0; });
    change([](Setup& s) { s.system_faults.no_descriptor = 0; });
    change([](Setup& s) { s.system_faults.slow = 0; });
    change([](Setup& s) { s.network.split = 0; });
    change([](Setup& s) { s.network.late = 0; });
    change([](Setup& s) { s.max_event_queue = 1000; });
    change([](Setup& s) { s.receive_buffer = 1U << 20U; });
    change([](Setup& s) { s.index = false; });
    change([](Setup& s) { s.whole_key = false; });
    change([](Setup& s) { s.tcp = s.by_name = false; });
    for (const std::uint32_t ports : {1U, 2U, 4U}) {
      if (ports < best_.setup.ports) change([ports](Setup& s) { s.ports = ports; });
    }
  }

  void shorten() {
    for (std::size_t i = 0; i < best_.steps.size() && !late(); ++i) {
      if (best_.steps[i].delay == 0) continue;
      Scenario candidate = best_;
      candidate.steps[i].delay = 0;
      try_it(std::move(candidate));
    }
  }

  Scenario best_;
  const std::string rule_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace

Scenario shrink(const Scenario& scenario, const Failure& failure) {
  return Shrinker(scenario, failure.rule).result();
}

}  // namespace sim
