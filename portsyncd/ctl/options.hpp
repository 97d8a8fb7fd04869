// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace portsyncctl {

enum class Command : std::uint8_t { status, ports, port, monitor, health, stats, resync, audit, reload, log_level };

struct Options {
  Command command = Command::status;
  std::string argument;  // ports: pattern, port: name, log_level: level
  bool force = false;
  bool json = false;
  std::string color = "auto";
  std::string socket;
};

// Parses the command line. Returns the exit status if the program must end now.
[[nodiscard]] std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

}  // namespace portsyncctl
