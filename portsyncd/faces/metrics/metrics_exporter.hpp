// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "faces/control.hpp"
#include "loop/event_loop.hpp"

namespace portsyncd {

// Serves Prometheus metrics, from threads of its own that know nothing but numbers: the loop writes these, at most once
// a second and only after something has happened. doc/metrics.md has them all. There are two: metrics_exporter.cpp, the
// only file that knows prometheus-cpp, and metrics_exporter_none.cpp for systems without it.
class MetricsExporter {
 public:
  // `listen` is a ListenAddress. Throws std::runtime_error that says why it cannot be listened on. The signals that the
  // loop handles are connected before.
  MetricsExporter(const std::string& listen, Control& control, EventLoop& loop);
  MetricsExporter(const MetricsExporter&) = delete;
  MetricsExporter& operator=(const MetricsExporter&) = delete;
  ~MetricsExporter();

  // Something may have happened. Cheap.
  void update_later();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace portsyncd
