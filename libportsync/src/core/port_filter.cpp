// SPDX-License-Identifier: Apache-2.0
#include <fnmatch.h>

#include <algorithm>
#include <portsync/port_filter.hpp>
#include <string>

#include "core/port_kind.hpp"

namespace portsync {
namespace {

constexpr std::size_t longest_name = 15;  // IFNAMSIZ - 1

// "Ethernet0.10": a VLAN on a port. intfmgrd stores rows for those in the same table.
bool is_sub_interface(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == name.size()) return false;
  const auto id = name.substr(dot + 1);
  return std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool PortFilter::matches_name(std::string_view name) const {
  if (name.empty() || name.size() > longest_name || is_sub_interface(name)) return false;
  const std::string text(name);  // short: no allocation
  const bool matched = std::any_of(match.begin(), match.end(), [&text](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
  });
  return (matched || also.find(name) != also.end()) && (!configured || configured->find(name) != configured->end());
}

bool PortFilter::matches(const LinkState& link) const {
  return core::is_port_kind(link) && matches_name(link.name);
}

bool operator==(const PortFilter& a, const PortFilter& b) {
  return a.match == b.match && a.configured == b.configured && a.also == b.also;
}

}  // namespace portsync
