// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/config_file.hpp"
#include "fuzz/fuzz.hpp"
#include "base/text_check.hpp"

namespace portsync::fuzz {

inline void require_plain(std::string_view message) {
  const auto is_control = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  };
  require(!message.empty(), "a message says something");
  require(portsyncd::is_utf8(message) && std::none_of(message.begin(), message.end(), is_control),
          "a message is one line of plain text");
}

// Returns the values that differ from their defaults as TOML. All values would take toml11 as long as a hundred short
// files; config_file_test checks that every default can be read.
inline std::string shown(const portsyncd::Config& config) {
  std::string text;
  std::string_view section;
  for (const portsyncd::Key& key : portsyncd::keys()) {
    const portsyncd::Value value = value_of(config, key);
    if (value == portsyncd::value_of({}, key)) continue;
    if (section != key.section) text += "[" + std::string(section = key.section) + "]\n";
    text += std::string(key.name) + " = " + portsyncd::to_toml(value) + "\n";
  }
  return text;
}

// Requires that a configuration which was accepted without an error is the same after it was written as TOML and read
// again.
inline void require_read_as_shown(const portsyncd::Config& config) {
  const portsyncd::ConfigFile file = portsyncd::parse_config(shown(config), "shown");
  require(file.problems.empty(), "the TOML has no problem");
  portsyncd::Config again;
  for (const portsyncd::Setting& setting : file.settings) {
    const auto problem = apply(again, setting);
    require(!problem || problem->severity == portsyncd::Problem::Severity::warning, "each value is accepted");
  }
  for (const portsyncd::Key& key : portsyncd::keys()) {
    require(value_of(config, key) == value_of(again, key), "each value is read as it was written");
  }
}

}  // namespace portsync::fuzz
