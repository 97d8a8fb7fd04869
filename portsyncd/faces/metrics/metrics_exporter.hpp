// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "faces/control.hpp"
#include "loop/event_loop.hpp"

namespace portsyncd {

// Serves Prometheus metrics (doc/metrics.md) from its own threads, which read nothing but numbers. The loop writes the
// numbers, at most once a second and only after something has happened. There are two implementations:
// metrics_exporter.cpp, the only file that uses prometheus-cpp, and metrics_exporter_none.cpp for systems without it.
class MetricsExporter {
 public:
  // `listen` is the text of a ListenAddress. Throws std::runtime_error with the reason if it cannot be listened on.
  // Creates threads, so call the loop's on_signal() before.
  MetricsExporter(const std::string& listen, Control& control, EventLoop& loop);
  MetricsExporter(const MetricsExporter&) = delete;
  MetricsExporter& operator=(const MetricsExporter&) = delete;
  ~MetricsExporter();

  // Schedules an update of the numbers. Call it when something may have happened; it is cheap.
  void update_later();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace portsyncd
