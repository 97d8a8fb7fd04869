// SPDX-License-Identifier: Apache-2.0
// The settings from the environment: PORTSYNCD_<SECTION>_<KEY> for every key, and the older names
// PORTSYNCD_LOG_LEVEL, RUST_LOG, REDIS_HOST and REDIS_PORT.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace portsyncd {

struct EnvironmentSettings {
  std::vector<Setting> settings;  // a later one overrides an earlier one of the same key
  std::vector<Problem> problems;  // warnings only, because container engines set variables not meant for portsyncd
};

// Reads the settings. `variables` has "NAME=value" strings, as in environ(7), in any order.
[[nodiscard]] EnvironmentSettings read_environment(const std::vector<std::string_view>& variables);

// Returns "PORTSYNCD_DATABASE_REDIS_PORT".
[[nodiscard]] std::string variable_name(const Key& key);

}  // namespace portsyncd
