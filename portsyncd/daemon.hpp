// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "app.hpp"
#include "config/load_config.hpp"

namespace portsyncd {

// The life of the daemon, from the loaded configuration on: opens the log, waits until the databases are known, and runs
// one App after another until one ends for good. Returns the process's exit status.
[[nodiscard]] int run_daemon(LoadedConfig loaded, const App::LoadConfig& load, App::Output output);

}  // namespace portsyncd
