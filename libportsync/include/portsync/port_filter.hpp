// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <portsync/export.hpp>
#include <portsync/link_state.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace portsync {

// Which links are ports, and which rows of the table are ours to remove.
struct PortFilter {
  std::vector<std::string> match{"Ethernet*"};                   // shell globs (fnmatch(3)) on the name; any of them
  std::optional<std::set<std::string, std::less<>>> configured;  // when given, only these names

  // True when a link of this name could be a port: one of the globs matches, the name could be an interface's (1 to 15
  // bytes), it is not a sub-interface's ("Ethernet0.10"), and it is configured where that is asked for.
  [[nodiscard]] PORTSYNC_API bool matches_name(std::string_view name) const;

  // matches_name(), and the link is neither a VLAN nor a LAG (kind team: teamsyncd's).
  [[nodiscard]] PORTSYNC_API bool matches(const LinkState& link) const;
};

[[nodiscard]] PORTSYNC_API bool operator==(const PortFilter& a, const PortFilter& b);
[[nodiscard]] inline bool operator!=(const PortFilter& a, const PortFilter& b) {
  return !(a == b);
}

}  // namespace portsync
