// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/databases.hpp"
#include "config/options.hpp"

namespace portsyncd {

struct LoadedConfig {
  Config config;
  std::vector<std::string> origins;  // of each of keys(): where its value is from; "" = the default
  std::string password;              // of redis_password_file; goes to Redis alone
  std::string file;
  bool file_found = true;
  Databases databases;
  // Why it is not known yet where the databases are, which SONiC's description of them will say; "" = it is.
  std::string databases_unknown;
  std::vector<Problem> problems;  // in the order of the layers and, within the file, of its lines
};

// Defaults, the file, the environment, the options, a later one over an earlier one; then what SONiC's own description
// of its databases says of keys that none of them has given; and what the configuration refers to. With an error among
// the problems the rest must not be used.
[[nodiscard]] LoadedConfig load_config(const Options& options, const std::vector<std::string_view>& environment);

void log_problems(const std::vector<Problem>& problems);

// The values that hold, as a TOML file, each with its origin.
[[nodiscard]] std::string to_toml(const LoadedConfig& loaded);

}  // namespace portsyncd
