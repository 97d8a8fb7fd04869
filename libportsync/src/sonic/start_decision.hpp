// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <portsync/sonic/port_loader.hpp>
#include <string>

namespace portsync::sonic {

// The facts in the databases that show which kind of start this is.
struct Evidence {
  bool dpu = false;                          // DEVICE_METADATA|localhost switch_type
  bool warm_enabled = false;                 // WARM_RESTART_ENABLE_TABLE
  std::optional<std::string> restore_count;  // WARM_RESTART_TABLE|portsyncd
  bool port_config_done = false;             // published or staged
  bool port_init_done = false;               // published or staged
};

struct Decision {
  StartMode mode = StartMode::cold;
  bool load_ports = false;                   // write the ports into APPL_DB, and then PortConfigDone
  bool set_leftovers_down = false;           // the links that already exist
  bool say_init_done = true;                 // write PortInitDone when every port has its link
  std::optional<std::string> restore_count;  // the value to write
};

// Decides which kind of start this is, and what it does. swss.sh flushes APPL_DB on a cold start. So a PortConfigDone
// in it means that portsyncd alone was restarted, or that this is a warm restart. Pure.
[[nodiscard]] Decision decide(const Evidence& evidence);

}  // namespace portsync::sonic
