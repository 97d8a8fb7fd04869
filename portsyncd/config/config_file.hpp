// SPDX-License-Identifier: Apache-2.0
// The configuration file. Only the .cpp file uses the TOML library.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace portsyncd {

struct ConfigFile {
  bool found = true;  // false: the file does not exist
  std::vector<Setting> settings;
  std::vector<Problem> problems;
};

// Reads a regular file of at most 64 KiB. Reports an unknown key as a warning, and everything else that prevents a
// complete reading as an error. apply() checks types and ranges.
[[nodiscard]] ConfigFile read_config_file(const std::string& path);

// Parses a text in the same way. Messages name `name` as the file.
[[nodiscard]] ConfigFile parse_config(const std::string& text, const std::string& name);

}  // namespace portsyncd
