// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <portsync/link_state.hpp>
#include <portsync/pollable.hpp>
#include <string_view>

namespace portsync {

// How often a port lost its carrier, by the kernel's own count (IFLA_CARRIER_DOWN_COUNT, since Linux 4.16; before that
// half of IFLA_CARRIER_CHANGES), so that flaps between two messages count too. From when the port was first seen, or
// its link was made anew.
struct FlapStatistics {
  std::uint64_t last_minute = 0;  // to 5 s
  std::uint64_t last_hour = 0;    // to 1 min
  std::uint64_t total = 0;        // since then
  // From IFF_RUNNING lost to IFF_RUNNING back, as the messages were read; one that lasts still counts as long as it
  // has lasted. A port that never ran has had none.
  std::chrono::milliseconds longest_outage{0};
  std::optional<TimePoint> last_change;  // of IFF_RUNNING or of the count; std::nullopt: none has been seen
};

// A port as the Synchronizer knows it. Pointers and views are borrowed; see Synchronizer::ports().
struct PortStatus {
  std::string_view name;            // the row's
  const LinkState* link = nullptr;  // never nullptr
  std::string_view master;          // name of the bridge, LAG or VRF that it is in; "" = none, or not known
  bool in_sync = false;             // every sink is open and holds what the link is
  FlapStatistics flaps;             // how often it lost its carrier
};

}  // namespace portsync
