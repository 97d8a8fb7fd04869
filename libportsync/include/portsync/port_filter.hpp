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
  std::vector<std::string> match{"Ethernet*"};  // shell globs (fnmatch(3)) on the name; one match suffices
  std::optional<std::set<std::string, std::less<>>> configured;  // when given, only these names
  std::set<std::string, std::less<>> also{};                     // these names need no glob

  // Returns true when a link of this name could be a port. One of the globs must match, or `also` contain the name. The
  // name must be valid for an interface (1 to 15 bytes) and not that of a sub-interface ("Ethernet0.10"). If
  // `configured` is given, it must contain the name.
  [[nodiscard]] PORTSYNC_API bool matches_name(std::string_view name) const;

  // Returns true when matches_name() does and the link is neither a VLAN nor a LAG (kind team, which teamsyncd
  // handles).
  [[nodiscard]] PORTSYNC_API bool matches(const LinkState& link) const;
};

[[nodiscard]] PORTSYNC_API bool operator==(const PortFilter& a, const PortFilter& b);
[[nodiscard]] inline bool operator!=(const PortFilter& a, const PortFilter& b) {
  return !(a == b);
}

}  // namespace portsync
