// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <portsync/health_monitor.hpp>
#include <portsync/link_source.hpp>
#include <portsync/synchronizer.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/sink_queue.hpp"

namespace portsync::core {

// The Synchronizer without its descriptors: source and sinks are interfaces, and the time is an argument.
class SyncEngine {
 public:
  SyncEngine(LinkSource& source, SynchronizerOptions options);

  void add_sink(StateSink& sink, Projection projection, std::string name);
  void set_health_monitor(HealthMonitor& monitor) { monitor_ = &monitor; }
  void set_known_ifindexes(std::map<std::string, std::int32_t, std::less<>> ifindexes) {
    context_.known_ifindexes = std::move(ifindexes);
  }
  void set_listener(Synchronizer::Listener listener) { context_.listener = std::move(listener); }

  [[nodiscard]] std::error_code start(TimePoint now);

  // Sets the time of all that follows. Call it before processing the source or a sink.
  void set_now(TimePoint now) { context_.now = now; }
  // Does the work that is due. Call it after processing the source or a sink.
  void run();
  [[nodiscard]] std::optional<TimePoint> deadline() const;

  [[nodiscard]] std::error_code resync(bool force);
  [[nodiscard]] std::error_code audit(Scope scope);
  [[nodiscard]] std::error_code check(std::string_view port);
  void set_options(SynchronizerOptions options);
  void stop();
  // Call it when the source was processed and reported nothing: a probe was sent or answered, or a loss was noticed.
  void source_may_have_changed();
  // Call it when the sink has failed permanently.
  void sink_failed(std::size_t sink, std::error_code error) { context_.queues[sink]->on_closed(error); }

  // Returns the number of rows that the sink has not acknowledged.
  [[nodiscard]] std::size_t unanswered(std::size_t sink) const noexcept { return context_.queues[sink]->in_flight(); }

  [[nodiscard]] bool drained() const noexcept;
  [[nodiscard]] bool all_stored() const noexcept;
  [[nodiscard]] bool synchronized() const noexcept { return synchronized_; }
  [[nodiscard]] std::uint64_t link_events() const noexcept { return link_events_; }
  [[nodiscard]] SynchronizerStatistics statistics() const;
  [[nodiscard]] std::vector<PortStatus> ports(TimePoint now) const;
  [[nodiscard]] std::optional<PortStatus> port(std::string_view name, TimePoint now) const;

 private:
  void on_link(const LinkEvent& event);
  void on_changed(const LinkEvent& event);
  void on_removed(const LinkEvent& event);
  void on_touched(Slot slot, const Touch& touch);
  [[nodiscard]] PortStatus status(Slot slot, const LinkState& link, TimePoint now) const;
  void on_snapshot_end(const LinkEvent& event);
  void note_synchronized();
  void plan_audit();
  void run_audit();
  void run_report();
  void report();
  [[nodiscard]] HealthReport health() const;
  [[nodiscard]] std::optional<TimePoint> recent_end() const;

  LinkSource& source_;
  SyncContext context_;
  HealthMonitor* monitor_ = nullptr;
  std::optional<TimePoint> next_audit_;
  std::optional<TimePoint> next_report_;
  std::uint64_t link_events_ = 0;
  std::optional<TimePoint> links_listed_;  // when the latest snapshot was complete
  TimePoint audits_since_;                 // since when audit_interval has its present value
  std::uint32_t audits_since_full_ = 0;    // since the last audit of all rows; these read the known rows alone
  bool started_ = false;
  bool synchronized_ = false;
  bool reported_synchronized_ = false;
  HealthReport reported_;  // the latest report, without its sinks
};

}  // namespace portsync::core
