// SPDX-License-Identifier: Apache-2.0
// The App's other output is not simulated.
#include <portsync/json_lines_sink.hpp>
#include <stdexcept>

namespace portsync {

std::unique_ptr<StateSink> make_json_lines_sink(const JsonLinesOptions&) {
  throw std::logic_error("not simulated");
}

Projection json_lines_projection() {
  throw std::logic_error("not simulated");
}

}  // namespace portsync
