// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>

namespace portsync::redis {

// Returns the options unchanged. Throws std::invalid_argument if they do not name a table correctly.
template <typename Options>
[[nodiscard]] Options checked_table(Options options) {
  if (options.table.empty()) throw std::invalid_argument("redis: table is empty");
  if (options.separator.empty()) throw std::invalid_argument("redis: separator is empty");
  return options;
}

}  // namespace portsync::redis
