// SPDX-License-Identifier: Apache-2.0
#include <portsync/health_monitor.hpp>
#include <utility>

#include "core/health.hpp"
#include "os/event_set.hpp"
#include "os/process_guard.hpp"

namespace portsync {
namespace {

class DeadlineHealthMonitor final : public HealthMonitor {
 public:
  explicit DeadlineHealthMonitor(const DeadlineHealthOptions& options) : options_(options) {}

  [[nodiscard]] int fd() const noexcept override { return events_.fd(); }

  [[nodiscard]] std::error_code process() override {
    const os::ProcessGuard guard(processing_);
    epoll_event ready[os::EventSet::max_events];
    events_.poll(ready);
    judge();
    return {};
  }

  void report(const HealthReport& report) override {
    report_ = report;
    judge();
  }

  [[nodiscard]] Health overall() const override { return health_; }

  void set_listener(Listener listener) override { listener_ = std::move(listener); }

 private:
  void judge() {
    core::Judgement judgement = core::judge(report_, options_, os::now());
    events_.arm(judgement.next_change);
    if (judgement.health == health_) return;
    const Health before = std::exchange(health_, std::move(judgement.health));
    if (listener_) listener_(before, health_);
  }

  DeadlineHealthOptions options_;
  os::EventSet events_;
  HealthReport report_;
  Health health_;
  Listener listener_;
  bool processing_ = false;
};

}  // namespace

std::unique_ptr<HealthMonitor> make_deadline_health_monitor(const DeadlineHealthOptions& options) {
  return std::make_unique<DeadlineHealthMonitor>(options);
}

}  // namespace portsync
