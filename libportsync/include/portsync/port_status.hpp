// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <portsync/link_state.hpp>
#include <portsync/pollable.hpp>
#include <string_view>

namespace portsync {

// How often a port lost its carrier since the port was first seen, or since its link was made anew. The count is the
// kernel's own (IFLA_CARRIER_DOWN_COUNT since Linux 4.16, half of IFLA_CARRIER_CHANGES before that), so that it
// includes flaps between two messages.
struct FlapStatistics {
  std::uint64_t last_minute = 0;  // to a precision of 5 s
  std::uint64_t last_hour = 0;    // to a precision of 1 min
  std::uint64_t total = 0;        // since the beginning, see above
  // From losing IFF_RUNNING to regaining it, as the messages were read. An outage that still lasts counts with its
  // length so far. A port that never ran has had no outage.
  std::chrono::milliseconds longest_outage{0};
  std::optional<TimePoint> last_change;  // of IFF_RUNNING or of the count; std::nullopt: no change seen
};

// A port as the Synchronizer knows it. Pointers and views are borrowed; see Synchronizer::ports().
struct PortStatus {
  std::string_view name;            // the row's name
  const LinkState* link = nullptr;  // never nullptr
  std::string_view master;          // name of the bridge, LAG or VRF that the port is in; "" = none, or unknown
  bool in_sync = false;             // every sink is open, and its row equals the link
  FlapStatistics flaps;             // how often it lost its carrier
};

}  // namespace portsync
