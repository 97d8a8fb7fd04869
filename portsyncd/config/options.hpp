// SPDX-License-Identifier: Apache-2.0
// The command line. The only file that knows the option library.
#pragma once

#include <optional>
#include <string>

namespace portsyncd {

inline constexpr const char* default_config_file = "/etc/sonic/portsyncd.conf";

struct Options {
  std::optional<std::string> config_file;  // nullopt: default_config_file, which may be missing
  bool check_config = false;
  bool strict = false;  // of check_config: a warning is an error
  bool show_config = false;
  bool json_lines = false;
  std::optional<std::string> log_level;
};

// The exit status when that was all there was to do (--help, --version, a bad option), nothing to go on.
[[nodiscard]] std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

}  // namespace portsyncd
