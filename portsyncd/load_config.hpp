// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "config.hpp"
#include "options.hpp"

namespace portsyncd {

inline constexpr const char* default_config_file = "/etc/sonic/portsyncd.conf";

struct LoadedConfig {
  Config config;
  std::string password;  // of redis_password_file; goes to Redis alone
  std::string file;
  bool file_found = true;
  std::vector<Problem> problems;  // in the order of the layers and, within the file, of its lines
};

// Defaults, then the file, then the options; and what the configuration refers to. With an error among the problems
// the rest must not be used.
[[nodiscard]] LoadedConfig load_config(const Options& options);

}  // namespace portsyncd
