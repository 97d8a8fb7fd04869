// SPDX-License-Identifier: Apache-2.0
// The configuration file. The only file that knows the TOML library.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace portsyncd {

struct ConfigFile {
  bool found = true;  // false: there is no such file
  std::vector<Setting> settings;
  std::vector<Problem> problems;
};

// Reads a regular file of at most 64 KiB. Keys that are not in the table are warnings; whatever keeps the file from
// being read as it was meant is an error. Types and ranges are checked by apply().
[[nodiscard]] ConfigFile read_config_file(const std::string& path);

// The same of a text; `name` stands for the file in messages.
[[nodiscard]] ConfigFile parse_config(const std::string& text, const std::string& name);

}  // namespace portsyncd
