// SPDX-License-Identifier: Apache-2.0
// The implementation for systems without prometheus-cpp.
#include <stdexcept>

#include "faces/metrics/metrics_exporter.hpp"

namespace portsyncd {

class MetricsExporter::Impl {};

MetricsExporter::MetricsExporter(const std::string& /*listen*/, Control& /*control*/, EventLoop& /*loop*/) {
  throw std::runtime_error("this portsyncd was built without prometheus-cpp");
}

MetricsExporter::~MetricsExporter() = default;

void MetricsExporter::update_later() {}

}  // namespace portsyncd
