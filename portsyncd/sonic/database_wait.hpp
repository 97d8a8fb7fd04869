// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

#include "config/load_config.hpp"

namespace portsyncd {

// Loads the configuration again and again until it is known where the databases are: SONiC's description of them comes
// late, and in one piece. Returns what was loaded then, which has no error; std::nullopt when a signal ended it.
// Throws std::system_error.
[[nodiscard]] std::optional<LoadedConfig> wait_for_databases(const LoadedConfig& loaded,
                                                             const std::function<LoadedConfig()>& load);

}  // namespace portsyncd
