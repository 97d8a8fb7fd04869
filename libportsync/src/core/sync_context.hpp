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

// What the queues of all sinks share, owned by the engine.
struct SyncContext {
  SyncContext(SynchronizerOptions given, PortTable::Touched touched);
  ~SyncContext();
  SyncContext(const SyncContext&) = delete;
  SyncContext& operator=(const SyncContext&) = delete;

  void tell(const SyncEvent& event) const {
    if (listener) listener(event);
  }
  // Nothing is read or written before the links and the ports among them are known.
  [[nodiscard]] bool ready() const noexcept { return first_snapshot && options.ports_known; }
  // Gives back the slot of a port without a link that no sink holds anything of.
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
  TimePoint now;                // of the process() call under way: a sink's answers carry no time
  bool first_snapshot = false;  // complete
  bool drained = false;         // the source has nothing more waiting
  bool stopped = false;         // links are not followed any more
  bool report_due = true;       // something has changed that health is told of at once
};

}  // namespace portsync::core
