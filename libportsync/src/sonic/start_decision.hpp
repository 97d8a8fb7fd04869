// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <portsync/sonic/port_loader.hpp>
#include <string>

namespace portsync::sonic {

// What the databases say of how portsyncd is started.
struct Evidence {
  bool dpu = false;                          // DEVICE_METADATA|localhost switch_type
  bool warm_enabled = false;                 // WARM_RESTART_ENABLE_TABLE
  std::optional<std::string> restore_count;  // WARM_RESTART_TABLE|portsyncd
  bool port_config_done = false;             // published or staged
  bool port_init_done = false;               // published or staged
};

struct Decision {
  StartMode mode = StartMode::cold;
  bool load_ports = false;                   // into APPL_DB, and PortConfigDone after them
  bool set_leftovers_down = false;           // links that there are already
  bool say_init_done = true;                 // when every port has its link
  std::optional<std::string> restore_count;  // to be written
};

// swss.sh flushes APPL_DB on a cold start: PortConfigDone in it means that portsyncd alone was restarted, or warm.
// Pure.
[[nodiscard]] Decision decide(const Evidence& evidence);

}  // namespace portsync::sonic
