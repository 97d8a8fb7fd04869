// SPDX-License-Identifier: Apache-2.0
// The engine with descriptors and a clock.
#include <cassert>
#include <optional>
#include <portsync/synchronizer.hpp>
#include <utility>
#include <vector>

#include "core/sync_engine.hpp"
#include "os/event_set.hpp"
#include "os/process_guard.hpp"

namespace portsync {

class Synchronizer::Impl {
 public:
  Impl(LinkSource& source, SynchronizerOptions options) : source_(source), engine_(source, std::move(options)) {}

  void add_sink(StateSink& sink, Projection projection, std::string name) {
    assert(!started_);
    engine_.add_sink(sink, std::move(projection), std::move(name));
    sinks_.push_back(&sink);
  }

  void set_health_monitor(HealthMonitor& monitor) {
    assert(!started_);
    engine_.set_health_monitor(monitor);
    monitor_ = &monitor;
  }

  // If a listener sets another one, the old one still gets the rest of this round, because it must not be destroyed
  // while it runs.
  void set_listener(Listener listener) {
    if (processing_) {
      next_listener_ = std::move(listener);
    } else {
      engine_.set_listener(std::move(listener));
    }
  }

  std::error_code start() {
    const std::error_code error = engine_.start(os::now());
    if (error) return error;
    started_ = true;
    events_.add(source_.fd(), EPOLLIN, source_id);
    if (monitor_ != nullptr) events_.add(monitor_->fd(), EPOLLIN, monitor_id);
    for (std::size_t i = 0; i < sinks_.size(); ++i) {
      events_.add(sinks_[i]->fd(), EPOLLIN, first_sink_id + static_cast<std::uint32_t>(i));
    }
    engine_.run();
    events_.arm(engine_.deadline());
    return {};
  }

  std::error_code process() {
    const os::ProcessGuard guard(processing_);
    if (next_listener_) engine_.set_listener(*std::exchange(next_listener_, std::nullopt));
    try {
      return dispatch_ready();
    } catch (...) {
      run_soon();  // the next call does the rest of this round
      throw;
    }
  }

  std::error_code dispatch_ready() {
    std::error_code error;
    engine_.set_now(os::now());
    if (guesses_ < most_guesses && dispatch_likely(error)) {
      ++guesses_;
    } else {
      guesses_ = 0;
      epoll_event ready[os::EventSet::max_events];
      const int count = events_.poll(ready);
      for (int i = 0; i < count && !error; ++i) error = dispatch(ready[i].data.u32);
    }
    engine_.run();
    events_.arm(engine_.deadline());
    return error;
  }

  // Processes the object that is most likely ready: the sink that owes a reply, otherwise the source. Asking epoll
  // would cost each change two more system calls. Returns false when that object had nothing, because then another one
  // is ready. No other object waits for long, because at most most_guesses such guesses are made in a row.
  bool dispatch_likely(std::error_code& error) {
    const std::size_t none = sinks_.size();
    std::size_t busy = none;
    for (std::size_t i = 0; i < sinks_.size(); ++i) {
      if (engine_.unanswered(i) == 0) continue;
      if (busy != none) return false;  // several sinks owe a reply
      busy = i;
    }
    if (busy != none) {
      const std::size_t before = engine_.unanswered(busy);
      error = dispatch_sink(busy);
      return engine_.unanswered(busy) != before;
    }
    if (stopped_ || !started_) return false;
    const std::uint64_t before = engine_.link_events();
    error = dispatch(source_id);
    return error || engine_.link_events() != before;
  }

  void stop() {
    stopped_ = true;
    engine_.stop();
    events_.remove(source_.fd());
    run_soon();
  }

  // Schedules process(), which does the work that was requested outside of it.
  void run_soon() { events_.arm(os::now()); }

  std::error_code dispatch(std::uint32_t id) {
    if (id == os::EventSet::timer_id) return {};
    if (id == monitor_id) return monitor_->process();
    if (id != source_id) return dispatch_sink(id - first_sink_id);
    const std::uint64_t before = engine_.link_events();
    const std::error_code error = source_.process();
    if (engine_.link_events() == before) engine_.source_may_have_changed();
    return error;
  }

  // If a sink has failed for good, the other sinks must still work.
  std::error_code dispatch_sink(std::size_t sink) {
    engine_.set_now(os::now());
    if (const std::error_code error = sinks_[sink]->process()) {
      events_.remove(sinks_[sink]->fd());
      engine_.sink_failed(sink, error);
    }
    return {};
  }

  static constexpr std::uint32_t source_id = 1;
  static constexpr std::uint32_t monitor_id = 2;
  static constexpr std::uint32_t first_sink_id = 3;
  static constexpr int most_guesses = 8;

  LinkSource& source_;
  core::SyncEngine engine_;
  HealthMonitor* monitor_ = nullptr;
  std::vector<StateSink*> sinks_;
  os::EventSet events_;
  std::optional<Listener> next_listener_;  // takes effect with the next process()
  int guesses_ = 0;                        // consecutive right guesses
  bool started_ = false;
  bool stopped_ = false;
  os::ProcessFlag processing_;
};

Synchronizer::Synchronizer(LinkSource& source, SynchronizerOptions options)
    : impl_(std::make_unique<Impl>(source, std::move(options))) {}

Synchronizer::~Synchronizer() = default;

void Synchronizer::add_sink(StateSink& sink, Projection projection, std::string name) {
  impl_->add_sink(sink, std::move(projection), std::move(name));
}

void Synchronizer::set_health_monitor(HealthMonitor& monitor) {
  impl_->set_health_monitor(monitor);
}

void Synchronizer::set_listener(Listener listener) {
  impl_->set_listener(std::move(listener));
}

std::error_code Synchronizer::start() {
  return impl_->start();
}

int Synchronizer::fd() const noexcept {
  return impl_->events_.fd();
}

std::error_code Synchronizer::process() {
  return impl_->process();
}

std::error_code Synchronizer::resync(bool force) {
  impl_->run_soon();
  return impl_->engine_.resync(force);
}

std::error_code Synchronizer::audit(Scope scope) {
  impl_->run_soon();
  return impl_->engine_.audit(scope);
}

std::error_code Synchronizer::check(std::string_view port) {
  impl_->engine_.set_now(os::now());
  impl_->run_soon();
  return impl_->engine_.check(port);
}

void Synchronizer::set_options(SynchronizerOptions options) {
  impl_->engine_.set_now(os::now());
  impl_->engine_.set_options(std::move(options));
  impl_->run_soon();
}

void Synchronizer::stop() {
  impl_->stop();
}

bool Synchronizer::drained() const noexcept {
  return impl_->engine_.drained();
}

bool Synchronizer::all_stored() const noexcept {
  return impl_->engine_.all_stored();
}

void Synchronizer::set_known_ifindexes(std::map<std::string, std::int32_t, std::less<>> ifindexes) {
  impl_->engine_.set_known_ifindexes(std::move(ifindexes));
}

bool Synchronizer::synchronized() const noexcept {
  return impl_->engine_.synchronized();
}

SynchronizerStatistics Synchronizer::statistics() const {
  return impl_->engine_.statistics();
}

std::vector<PortStatus> Synchronizer::ports() const {
  return impl_->engine_.ports(os::now());
}

std::optional<PortStatus> Synchronizer::port(std::string_view name) const {
  return impl_->engine_.port(name, os::now());
}

}  // namespace portsync
