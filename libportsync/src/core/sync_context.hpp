// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <portsync/pollable.hpp>
#include <portsync/synchronizer.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/flap_history.hpp"
#include "core/latency_histogram.hpp"
#include "core/port_table.hpp"
#include "core/recent_window.hpp"

namespace portsync::core {

class SinkQueue;

// The data that the queues of all sinks share. The engine owns it.
struct SyncContext {
  SyncContext(SynchronizerOptions given, PortTable::Touched touched);
  ~SyncContext();
  SyncContext(const SyncContext&) = delete;
  SyncContext& operator=(const SyncContext&) = delete;

  void report(const SyncEvent& event) const {
    if (listener) listener(event);
  }
  // Returns true once the links are known and which of them are ports. Until then nothing is read or written.
  [[nodiscard]] bool ready() const noexcept { return first_snapshot && options.ports_known; }
  // Releases the slot of a port that has no link and of which no sink holds anything.
  void release_if_unused(Slot slot);

  SynchronizerOptions options;
  PortTable ports;
  std::vector<FlapHistory> flaps;  // by slot
  std::vector<std::unique_ptr<SinkQueue>> queues;
  std::map<std::string, std::int32_t, std::less<>> known_ifindexes;  // of an earlier run, by port
  Synchronizer::Listener listener;
  SynchronizerStatistics statistics;
  LatencyHistogram latencies;
  RecentWindow<LatencyHistogram> recent_latencies;
  TimePoint now;                // of the current process() call, because a sink's replies carry no time
  bool first_snapshot = false;  // the first snapshot is complete
  bool drained = false;         // the source has no more messages waiting
  bool stopped = false;         // links are no longer followed
  bool report_due = true;       // something has changed that health is notified of at once
};

}  // namespace portsync::core
