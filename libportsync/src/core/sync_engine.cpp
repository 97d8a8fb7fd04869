// SPDX-License-Identifier: Apache-2.0
#include "core/sync_engine.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/bounce.hpp"
#include "core/earliest.hpp"

namespace portsync::core {
namespace {

constexpr std::chrono::seconds report_interval{1};
// The monitor judges the age of a waiting row by its own clock. So a row that a report has as waiting is reported again
// before it is a second old, because it may have been stored by then.
constexpr std::chrono::milliseconds reported_again_at_age{900};

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace

SyncEngine::SyncEngine(LinkSource& source, SynchronizerOptions options)
    : source_(source),
      context_(std::move(options), [this](Slot slot, const Touch& touch) { on_touched(slot, touch); }) {}

void SyncEngine::add_sink(StateSink& sink, Projection projection, std::string name) {
  context_.queues.push_back(std::make_unique<SinkQueue>(context_, sink, std::move(projection), std::move(name)));
}

std::error_code SyncEngine::start(TimePoint now) {
  if (std::exchange(started_, true)) return Errc::already_started;
  context_.now = now;
  for (const auto& queue : context_.queues) {
    if (const std::error_code error = queue->sink().start(*queue)) return error;
  }
  return source_.start([this](const LinkEvent& event) { on_link(event); });
}

void SyncEngine::on_link(const LinkEvent& event) {
  if (context_.stopped) return;
  ++link_events_;
  switch (event.kind) {
    case LinkEvent::Kind::changed:
      on_changed(event);
      break;
    case LinkEvent::Kind::removed:
      on_removed(event);
      break;
    case LinkEvent::Kind::snapshot_begin:
      context_.report_due = true;
      break;
    case LinkEvent::Kind::snapshot_end:
      on_snapshot_end(event);
      break;
    case LinkEvent::Kind::drained:
      context_.drained = true;
      break;
  }
}

void SyncEngine::on_changed(const LinkEvent& event) {
  context_.drained = false;
  const bool bounced =
      context_.options.write_bounces && event.before != nullptr && is_bounce(*event.before, *event.link);
  context_.ports.change(*event.link, event.lasting, {event.received, event.cause, bounced});
}

// The next link of this name is another link, even if it has the same ifindex.
void SyncEngine::on_removed(const LinkEvent& event) {
  context_.drained = false;
  if (context_.options.replace_on_new_ifindex) {
    const Slot slot = context_.ports.slot_of(event.link->ifindex);
    for (const auto& queue : context_.queues) {
      if (slot != PortTable::none) queue->mark_replaced(slot);
    }
  }
  context_.ports.remove(event.link->ifindex, {event.received, event.cause});
}

void SyncEngine::on_touched(Slot slot, const Touch& touch) {
  ++context_.statistics.events;
  if (slot >= context_.flaps.size()) context_.flaps.resize(context_.ports.end());
  context_.flaps[slot].update(context_.ports.link(slot), touch.when);
  for (const auto& queue : context_.queues) queue->mark(slot, touch);
  context_.release_if_unused(slot);
}

void SyncEngine::on_snapshot_end(const LinkEvent& event) {
  ++context_.statistics.snapshots;
  context_.report_due = true;
  links_listed_ = context_.now;
  context_.ports.on_names_known({event.received, event.cause});
  if (!std::exchange(context_.first_snapshot, true)) plan_audit();
  context_.report(
      {.kind = SyncEvent::Kind::snapshot_completed, .cause = event.cause, .count = context_.ports.matching()});
}

void SyncEngine::run() {
  if (next_audit_ && context_.now >= *next_audit_) run_audit();
  for (const auto& queue : context_.queues) queue->run();
  if (!reported_synchronized_) note_synchronized();
  run_report();
}

// Does not report that every row equals the kernel while rows are left alone.
void SyncEngine::note_synchronized() {
  const auto all = [this](auto is) { return std::all_of(context_.queues.begin(), context_.queues.end(), is); };
  if (!context_.ready() || !all([](const auto& queue) { return queue->synchronized_once(); })) return;
  synchronized_ = true;
  context_.known_ifindexes.clear();
  if (!all([](const auto& queue) { return queue->rows_left_alone() == 0; })) return;
  reported_synchronized_ = true;
  context_.report({.kind = SyncEvent::Kind::synchronized});
}

// Most datagrams change nothing that health depends on. Report only when the source's own state changed.
void SyncEngine::source_may_have_changed() {
  if (monitor_ == nullptr || context_.report_due) return;
  const LinkSourceStatistics source = source_.statistics();
  context_.report_due = source.snapshot_pending != reported_.snapshot_pending ||
                        source.deaf_since != reported_.deaf_since ||
                        source.listing_silent_since != reported_.listing_silent_since ||
                        source.interrupted_in_a_row != reported_.interrupted_in_a_row;
}

// Reports rare changes at once. Reports waiting rows after one second, because the verdict depends on their age; by
// then most are answered. From then on it reports once a second, however many rows wait. It also reports whenever a
// value leaves the last minute. So a quiet switch causes no reports.
void SyncEngine::run_report() {
  if (monitor_ == nullptr) return;
  if (context_.ports.no_port_since() != reported_.no_port_since) context_.report_due = true;
  if (context_.report_due || (next_report_ && context_.now >= *next_report_)) report();
  const bool waits = std::any_of(context_.queues.begin(), context_.queues.end(),
                                 [](const auto& queue) { return queue->pending() > 0; });
  if (!waits) return;
  const TimePoint next = context_.now + report_interval;
  next_report_ = earliest(next_report_, next);
}

std::optional<TimePoint> SyncEngine::deadline() const {
  std::optional<TimePoint> first = earliest(next_audit_, next_report_);
  for (const auto& queue : context_.queues) first = earliest(first, queue->deadline());
  return first;
}

void SyncEngine::plan_audit() {
  next_audit_.reset();
  if (context_.stopped) return;
  if (context_.options.audit_interval.count() > 0) next_audit_ = context_.now + context_.options.audit_interval;
}

void SyncEngine::run_audit() {
  plan_audit();
  const std::uint32_t every = context_.options.full_audit_every;
  const bool full = every > 0 && ++audits_since_full_ >= every;
  if (full) audits_since_full_ = 0;
  // If the source fails here, its own process() returns the final error.
  std::ignore = audit(full ? Scope::all : Scope::listed);
}

std::error_code SyncEngine::resync(bool force) {
  if (!started_) return Errc::not_started;
  if (force) context_.ports.accept_absence();
  for (const auto& queue : context_.queues) {
    if (force) queue->request_forced_audit();
  }
  return source_.resync();
}

std::error_code SyncEngine::audit(Scope scope) {
  if (!started_) return Errc::not_started;
  for (const auto& queue : context_.queues) queue->request_audit(scope);
  return source_.resync();
}

std::error_code SyncEngine::check(std::string_view port) {
  if (!started_) return Errc::not_started;
  for (const auto& queue : context_.queues) queue->request_check(port);
  return {};
}

void SyncEngine::set_options(SynchronizerOptions options) {
  const SynchronizerOptions before = std::exchange(context_.options, std::move(options));
  if (context_.options.audit_interval != before.audit_interval) {
    audits_since_ = context_.now;
    if (context_.first_snapshot) plan_audit();
  }
  if (context_.options.filter == before.filter) return;
  for (const auto& queue : context_.queues) queue->on_filter_change();
  context_.ports.set_filter(context_.options.filter, {context_.now, Cause::resync});
}

void SyncEngine::stop() {
  context_.ports.keep_copies();  // the source may remove its links, and on_link() will not be called
  context_.stopped = true;
  context_.drained = true;
  next_audit_.reset();
}

bool SyncEngine::all_stored() const noexcept {
  return std::all_of(context_.queues.begin(), context_.queues.end(),
                     [](const auto& queue) { return queue->all_stored(); });
}

bool SyncEngine::drained() const noexcept {
  return std::all_of(context_.queues.begin(), context_.queues.end(), [](const auto& queue) { return queue->idle(); });
}

SynchronizerStatistics SyncEngine::statistics() const {
  SynchronizerStatistics now = context_.statistics;
  now.ports = context_.ports.matching();
  for (const auto& queue : context_.queues) {
    now.pending += queue->pending();
    now.rows_left_alone += queue->rows_left_alone();
  }
  now.latency_p50_us = context_.latencies.quantile_us(0.50);
  now.latency_p95_us = context_.latencies.quantile_us(0.95);
  now.latency_p99_us = context_.latencies.quantile_us(0.99);
  now.latency_max_us = context_.latencies.max_us();
  return now;
}

std::vector<PortStatus> SyncEngine::ports(TimePoint now) const {
  std::vector<PortStatus> ports;
  ports.reserve(context_.ports.matching());
  for (Slot slot = 0; slot < context_.ports.end(); ++slot) {
    if (const LinkState* link = context_.ports.link(slot)) ports.push_back(status(slot, *link, now));
  }
  return ports;
}

std::optional<PortStatus> SyncEngine::port(std::string_view name, TimePoint now) const {
  const Slot slot = context_.ports.find(name);
  const LinkState* link = slot == PortTable::none ? nullptr : context_.ports.link(slot);
  return link == nullptr ? std::nullopt : std::optional(status(slot, *link, now));
}

PortStatus SyncEngine::status(Slot slot, const LinkState& link, TimePoint now) const {
  PortStatus status;
  status.name = context_.ports.name(slot);
  status.link = &link;
  if (const LinkState* master = context_.ports.link_of(link.master)) status.master = master->name;
  status.in_sync = std::all_of(context_.queues.begin(), context_.queues.end(),
                               [slot](const auto& queue) { return queue->in_sync(slot); });
  status.flaps = context_.flaps[slot].statistics(now);
  return status;
}

void SyncEngine::report() {
  context_.report_due = false;
  next_report_ = recent_end();
  reported_ = health();
  for (const SinkReport& sink : reported_.sinks) {
    if (!sink.pending_since) continue;
    const TimePoint again = *sink.pending_since + reported_again_at_age;
    if (again > context_.now) next_report_ = earliest(next_report_, again);
  }
  monitor_->report(reported_);
  reported_.sinks.clear();
}

HealthReport SyncEngine::health() const {
  HealthReport report;
  const LinkSourceStatistics source = source_.statistics();
  report.first_snapshot = context_.first_snapshot;
  report.snapshot_pending = source.snapshot_pending;
  report.deaf_since = source.deaf_since;
  report.listing_silent_since = source.listing_silent_since;
  report.interrupted_in_a_row = source.interrupted_in_a_row;
  report.ports = context_.ports.matching();
  report.match = join(context_.options.filter.match);
  for (const auto& queue : context_.queues) {
    report.rows_left_alone = std::max(report.rows_left_alone, queue->rows_left_alone());
    SinkReport sink = queue->report();
    if (sink.compared) sink.compared = std::max(*sink.compared, audits_since_);
    report.sinks.push_back(std::move(sink));
  }
  if (links_listed_) report.links_listed = std::max(*links_listed_, audits_since_);
  report.no_port_since = context_.ports.no_port_since();
  report.audit_interval = context_.options.audit_interval;
  LatencyHistogram latencies;
  context_.recent_latencies.visit(context_.now, [&latencies](const LatencyHistogram& slot) { latencies.add(slot); });
  report.latency_p99_us = latencies.quantile_us(0.99);
  report.latency_samples = latencies.count();
  report.overruns = source.overruns;
  report.resyncs = source.resyncs;
  report.drift_repaired = context_.statistics.drift_repaired;
  return report;
}

// Returns when the next value leaves the last minute that health() covers.
std::optional<TimePoint> SyncEngine::recent_end() const {
  std::optional<TimePoint> first = context_.recent_latencies.next_end(context_.now);
  for (const auto& queue : context_.queues) first = earliest(first, queue->recent_end());
  return first;
}

}  // namespace portsync::core
