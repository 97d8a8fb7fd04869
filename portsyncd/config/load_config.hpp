// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/databases.hpp"
#include "config/options.hpp"
#include "config/sonic_db_config.hpp"

namespace portsyncd {

struct LoadedConfig {
  Config config;
  std::vector<std::string> origins;  // the source of the value of each of keys(); "" = the default
  std::string password;              // from redis_password_file; only Redis receives it
  std::string file;
  bool file_found = true;
  Databases databases;
  // Why the addresses of the databases are not known yet; "" = they are known. SONiC's database_config.json will have
  // them.
  std::string databases_unknown;
  SonicDescription description;   // what `databases` is from, if the operator does not set it
  std::vector<Problem> problems;  // in the order of the sources; those of the file by line
};

// Loads the configuration. The sources are the defaults, the file, the environment and the options; a later one
// overrides an earlier one. Keys that none of them sets come from SONiC's description of its databases. Then loads the
// files that the configuration refers to. If the problems contain an error, the rest must not be used.
[[nodiscard]] LoadedConfig load_config(const Options& options, const std::vector<std::string_view>& environment);

void log_problems(const std::vector<Problem>& problems);

// Formats the values in effect as a TOML file, each with its source.
[[nodiscard]] std::string to_toml(const LoadedConfig& loaded);

}  // namespace portsyncd
