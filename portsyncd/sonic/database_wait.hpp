// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

#include "config/load_config.hpp"

namespace portsyncd {

// Loads the configuration repeatedly until the addresses of the databases are known, because SONiC may write its
// description of them after portsyncd starts. Returns the loaded configuration, which has no error. Returns
// std::nullopt if a signal ended the wait. Throws std::system_error.
[[nodiscard]] std::optional<LoadedConfig> wait_for_databases(const LoadedConfig& loaded,
                                                             const std::function<LoadedConfig()>& load);

}  // namespace portsyncd
