// SPDX-License-Identifier: Apache-2.0
// core's state machine, with a timer and the clocks.
#include <portsync/health_monitor.hpp>
#include <utility>

#include "core/health_state.hpp"
#include "os/event_set.hpp"
#include "os/process_guard.hpp"

namespace portsync {
namespace {

class TimedHealthMonitor final : public HealthMonitor {
 public:
  explicit TimedHealthMonitor(const HealthOptions& options) : state_(options) {}

  [[nodiscard]] int fd() const noexcept override { return events_.fd(); }

  [[nodiscard]] std::error_code process() override {
    const os::ProcessGuard guard(processing_);
    epoll_event ready[os::EventSet::max_events];
    events_.poll(ready);
    judge();
    return {};
  }

  void report(const HealthReport& report) override {
    reported_ = true;
    state_.set_report(report);
    judge();
  }

  [[nodiscard]] Health overall() const override { return state_.health(); }

  void set_listener(Listener listener) override { listener_ = std::move(listener); }

  void set_condition(const std::string& name, const Health& condition) override {
    state_.set_condition(name, condition);
    judge();
  }

  void set_options(const HealthOptions& options) override {
    state_.set_options(options);
    judge();
  }

  [[nodiscard]] std::vector<HealthTransition> history() const override { return state_.history(); }

 private:
  void judge() {
    if (!reported_) return;
    const std::optional<Health> before = state_.judge(os::now(), os::wall_time());
    events_.arm(state_.next_change());
    if (!before || !listener_) return;
    const os::HandlerGuard notifying(processing_);
    const Listener listener = listener_;  // a copy, because the listener may set another one
    listener(*before, Health(state_.health()));
  }

  core::HealthState state_;
  os::EventSet events_;
  Listener listener_;
  bool reported_ = false;
  os::ProcessFlag processing_;
};

}  // namespace

std::unique_ptr<HealthMonitor> make_health_monitor(const HealthOptions& options) {
  return std::make_unique<TimedHealthMonitor>(options);
}

}  // namespace portsync
