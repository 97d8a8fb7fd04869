// SPDX-License-Identifier: Apache-2.0
#include "sonic/port_start.hpp"

#include <algorithm>
#include <utility>

namespace portsync::sonic {
namespace {

constexpr std::chrono::milliseconds config_poll_interval{100};
constexpr int another_loader_intervals = 3;  // Redis may list a loader for a moment after it has ended

}  // namespace

PortStart::Tasks PortStart::on_open(Source source, TimePoint now) {
  reading(source) = Reading::open;
  if (source == Source::config_db) uninitialized_ = false;
  if (before_running()) begin_again();
  return read_what_is_due(now);
}

PortStart::Tasks PortStart::on_closed(Source source, TimePoint now) {
  reading(source) = Reading::closed;
  if (source == Source::config_db) uninitialized_ = false;
  if (before_running() && phase_ != Phase::reading) begin_again();
  return read_what_is_due(now);
}

// Reads everything again, because earlier reads may be out of date and earlier writes may be lost.
void PortStart::begin_again() {
  phase_ = Phase::reading;
  ++attempt_;
  for (Reading& each : readings_) {
    if (each != Reading::closed) each = Reading::open;
  }
  poll_at_.reset();
}

void PortStart::try_again(TimePoint now, std::chrono::milliseconds pause) {
  begin_again();
  poll_at_ = now + pause;
}

void PortStart::stop() {
  phase_ = Phase::ended;
  ++attempt_;
}

PortStart::Tasks PortStart::end(Task task) {
  stop();
  return {task};
}

PortStart::Tasks PortStart::on_time(TimePoint now) {
  return read_what_is_due(now);
}

// Reads APPL_DB and STATE_DB last, because their evidence about the start must not be older than the wait for the
// rest.
PortStart::Tasks PortStart::read_what_is_due(TimePoint now) {
  Tasks tasks;
  if (phase_ != Phase::reading || (poll_at_ && now < *poll_at_)) return tasks;
  poll_at_.reset();
  ask(Source::config_db, Task::read_initialized, tasks);
  if (reading(Source::config_db) != Reading::done || !snapshot_) return tasks;
  ask(Source::appl_db, Task::read_appl, tasks);
  ask(Source::state_db, Task::read_state, tasks);
  if (std::all_of(readings_.begin(), readings_.end(), [](Reading each) { return each == Reading::done; })) {
    decide_start(tasks);
  }
  return tasks;
}

void PortStart::ask(Source source, Task task, Tasks& tasks) {
  if (reading(source) != Reading::open) return;
  reading(source) = Reading::asking;
  tasks.push_back(task);
}

PortStart::Tasks PortStart::on_snapshot(TimePoint now) {
  snapshot_ = true;
  return read_what_is_due(now);
}

PortStart::Tasks PortStart::on_not_initialized(TimePoint now) {
  uninitialized_ = true;
  reading(Source::config_db) = Reading::open;
  poll_at_ = now + config_poll_interval;
  return {};
}

PortStart::Tasks PortStart::on_initialized() {
  uninitialized_ = false;
  return {Task::read_ports};
}

PortStart::Tasks PortStart::on_config(bool dpu, std::size_t ports, TimePoint now) {
  evidence_.dpu = dpu;
  ports_ = ports;
  reading(Source::config_db) = Reading::done;
  return read_what_is_due(now);
}

// Ends the start if another loader stays. If two loaders start together, the one with the higher client id exits. A
// loader that already runs stays.
PortStart::Tasks PortStart::on_loader_found(const std::string& name, TimePoint now) {
  another_loader_ = name;
  if (!another_loader_since_) another_loader_since_ = now;
  if (now - *another_loader_since_ < another_loader_intervals * poll_interval_) return {};
  return end(Task::end_another_loader);
}

void PortStart::on_no_loader() {
  another_loader_.clear();
  another_loader_since_.reset();
}

PortStart::Tasks PortStart::on_config_done(bool there, const std::string& run_id) {
  evidence_.port_config_done = there;
  if (!there) return seen_.is_another(run_id) ? end(Task::end_data_lost) : Tasks{};
  if (seen_.is_another(run_id)) server_was_restarted_ = true;
  seen_.note(run_id);
  return {};
}

PortStart::Tasks PortStart::on_appl(TimePoint now) {
  if (another_loader_.empty()) {
    reading(Source::appl_db) = Reading::done;
  } else {
    try_again(now, poll_interval_);
  }
  return read_what_is_due(now);
}

PortStart::Tasks PortStart::on_state(bool warm_enabled, std::optional<std::string> restore_count, TimePoint now) {
  evidence_.warm_enabled = warm_enabled;
  evidence_.restore_count = std::move(restore_count);
  reading(Source::state_db) = Reading::done;
  return read_what_is_due(now);
}

// Makes the decision. A repeated attempt does not increment the restore count again, because the reply to the first
// increment may have been lost. It may find the PortConfigDone that it wrote itself. It is still the same start, so it
// is not reported again.
void PortStart::decide_start(Tasks& tasks) {
  decision_ = decide(evidence_);
  if (restore_count_) decision_.restore_count = restore_count_;
  if (!std::exchange(started_, true)) tasks.push_back(Task::report_started);
  phase_ = Phase::setting_down;
  tasks.push_back(Task::set_down);
}

// Begins to write once all leftovers are down. PortConfigDone must come after that, because orchagent then creates
// links that must not be mistaken for leftovers. The writes are sequential, because the start may be interrupted
// between any two of them: the next start must find neither a PortConfigDone without its ports nor a count of a start
// that did not happen.
PortStart::Tasks PortStart::on_all_down() {
  if (!decision_.load_ports) return write_restore_count();
  if (ports_ == 0) return write_config_done();
  return enter(Phase::writing_ports, Task::write_ports);
}

PortStart::Tasks PortStart::enter(Phase phase, Task task) {
  phase_ = phase;
  return {task};
}

PortStart::Tasks PortStart::write_restore_count() {
  restore_count_ = decision_.restore_count;
  if (!restore_count_) return enter(Phase::running, Task::run);
  return enter(Phase::writing_restore_count, Task::write_restore_count);
}

// Only an acknowledged PortConfigDone counts as seen. An unacknowledged one may never have existed.
PortStart::Tasks PortStart::on_written(const std::string& run_id) {
  switch (phase_) {
    case Phase::writing_ports:
      return write_config_done();
    case Phase::writing_config_done:
      seen_.note(run_id);
      return write_restore_count();
    case Phase::writing_restore_count:
      return enter(Phase::running, Task::run);
    default:
      return {};
  }
}

PortStart::Wait PortStart::waits_for() const noexcept {
  if (!before_running()) return Wait::nothing;
  if (!another_loader_.empty()) return Wait::loader;
  if (uninitialized_) return Wait::initialized;
  if (reading(Source::config_db) != Reading::done) return Wait::config_db;
  if (!snapshot_) return Wait::links;
  if (reading(Source::appl_db) != Reading::done) return Wait::appl_db;
  if (reading(Source::state_db) != Reading::done) return Wait::state_db;
  return Wait::writes;
}

std::optional<TimePoint> PortStart::deadline() const {
  return before_running() ? poll_at_ : std::nullopt;
}

}  // namespace portsync::sonic
