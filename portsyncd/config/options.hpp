// SPDX-License-Identifier: Apache-2.0
// The command line. Only the .cpp file uses the option library.
#pragma once

#include <optional>
#include <string>

namespace portsyncd {

inline constexpr const char* default_config_file = "/etc/sonic/portsyncd.conf";

struct Options {
  std::optional<std::string> config_file;  // std::nullopt: default_config_file, which may be missing
  bool check_config = false;
  bool strict = false;  // with check_config, a warning is an error
  bool show_config = false;
  bool json_lines = false;
  std::optional<std::string> log_level;
};

// Parses the command line. Returns the exit status if the program must end now (--help, --version, a bad option), and
// std::nullopt if it must continue.
[[nodiscard]] std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

}  // namespace portsyncd
