// SPDX-License-Identifier: Apache-2.0
// Replies formatted for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/answer.hpp"

namespace portsyncctl {

struct Style {
  bool coloured = false;
  std::int64_t now_unix_ms = 0;
  bool on_terminal = false;  // a person reads the output, not a program
};

[[nodiscard]] std::string report(const StatusAnswer& status, const Style& style);
[[nodiscard]] std::string report(const std::vector<PortAnswer>& ports, const Style& style);
[[nodiscard]] std::string report(const PortAnswer& port, const Style& style);
[[nodiscard]] std::string report(const HealthAnswer& health, const Style& style);
[[nodiscard]] std::string report(const Counters& counters, const Style& style);
[[nodiscard]] std::string report(const Event& event, const Style& style);

// Returns "now", "12 s ago", "3 min ago", "5 h ago", "12 days ago"; "never".
[[nodiscard]] std::string ago(UnixMs time, std::int64_t now_unix_ms);
// Returns "250 ms", "1.5 s", "12 s", "3 min", "5 h", "12 days".
[[nodiscard]] std::string duration(std::int64_t ms);

}  // namespace portsyncctl
