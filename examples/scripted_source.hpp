// SPDX-License-Identifier: Apache-2.0
// A LinkSource that replays a trace (trace.hpp), for tests and to look again at events of another machine.
#pragma once

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <portsync/error.hpp>
#include <portsync/link_source.hpp>
#include <utility>
#include <vector>

#include "trace.hpp"

class ScriptedSource final : public portsync::LinkSource {
 public:
  // `speed`: 2 = twice as fast as recorded, 0 = as fast as process() is called.
  explicit ScriptedSource(std::vector<trace::Step> steps, double speed = 1) : steps_(std::move(steps)), speed_(speed) {
    if (timer_ < 0) throw std::system_error(errno, std::system_category(), "timerfd_create");
  }
  ~ScriptedSource() override { ::close(timer_); }

  [[nodiscard]] int fd() const noexcept override { return timer_; }

  [[nodiscard]] std::error_code start(Handler handler) override {
    if (handler_) return portsync::Errc::already_started;
    handler_ = std::move(handler);
    began_ = portsync::Clock::now();
    arm();
    return {};
  }

  [[nodiscard]] std::error_code process() override {
    if (!handler_) return portsync::Errc::not_started;
    for (int reported = 0; reported < 1000 && !done() && due(steps_[next_]) <= portsync::Clock::now(); ++reported) {
      const trace::Step& step = steps_[next_++];
      listing_ = step.kind == Kind::snapshot_begin || (listing_ && step.kind != Kind::snapshot_end);
      report(step);
    }
    if (!listing_ && std::exchange(resync_, false)) {  // a replay misses nothing, so the listing finds nothing new
      for (const Kind kind : {Kind::snapshot_begin, Kind::snapshot_end, Kind::drained}) say(kind);
    }
    arm();
    return {};
  }

  [[nodiscard]] std::error_code resync() override {
    if (!handler_) return portsync::Errc::not_started;
    resync_ = true;
    arm();
    return {};
  }

  [[nodiscard]] portsync::LinkSourceStatistics statistics() const override {
    portsync::LinkSourceStatistics statistics;
    statistics.changes = changes_;
    statistics.links = links_.size();
    statistics.snapshot_pending = listing_;
    return statistics;
  }

  // True once the whole trace has been replayed.
  [[nodiscard]] bool done() const noexcept { return next_ == steps_.size(); }

 private:
  using Kind = portsync::LinkEvent::Kind;

  void report(const trace::Step& step) {
    const portsync::TimePoint now = portsync::Clock::now();
    const auto known = links_.find(step.link.ifindex);
    if (step.kind == Kind::changed && (known == links_.end() || known->second != step.link)) {
      ++changes_;
      const bool is_new = known == links_.end();
      const portsync::LinkState before = std::exchange(links_[step.link.ifindex], step.link);
      handler_({step.kind, step.cause, &links_[step.link.ifindex], is_new ? nullptr : &before, now, true});
    } else if (step.kind == Kind::removed && known != links_.end()) {
      ++changes_;
      const auto gone = links_.extract(known);
      handler_({step.kind, step.cause, &gone.mapped(), &gone.mapped(), now});
    } else if (step.kind > Kind::removed) {
      handler_({step.kind, step.cause, nullptr, nullptr, now});
    }
  }
  void say(Kind kind) { handler_({kind, portsync::Cause::resync, nullptr, nullptr, portsync::Clock::now()}); }

  [[nodiscard]] portsync::TimePoint due(const trace::Step& step) const {
    const std::chrono::duration<double, std::micro> after(speed_ > 0 ? static_cast<double>(step.at.count()) / speed_
                                                                     : 0);
    return began_ + std::chrono::duration_cast<portsync::Clock::duration>(after);
  }

  // Makes the descriptor readable when the next step is due, which may be now.
  void arm() {
    std::chrono::nanoseconds at{0};  // never
    if (!done()) at = due(steps_[next_]).time_since_epoch();
    if (resync_ && !listing_) at = std::chrono::nanoseconds(1);
    const itimerspec when{{0, 0}, {at.count() / 1'000'000'000, at.count() % 1'000'000'000}};
    ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  }

  const int timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  const std::vector<trace::Step> steps_;
  const double speed_;
  std::size_t next_ = 0;  // of steps_
  portsync::TimePoint began_;
  std::map<std::int32_t, portsync::LinkState> links_;
  std::uint64_t changes_ = 0;
  bool listing_ = false, resync_ = false;
  Handler handler_;
};
