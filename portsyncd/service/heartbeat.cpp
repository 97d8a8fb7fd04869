// SPDX-License-Identifier: Apache-2.0
#include "service/heartbeat.hpp"

#include <chrono>
#include <string_view>

#include "os/system.hpp"

namespace portsyncd {
namespace {

void write_heartbeat() {
  constexpr std::string_view heartbeat = "<!--XSUPERVISOR:BEGIN-->heartbeat<!--XSUPERVISOR:END-->";
  os::write_to_standard_output(heartbeat);
}

}  // namespace

void start_heartbeat(EventLoop& loop, std::int64_t seconds) {
  if (seconds == 0) return;
  write_heartbeat();
  loop.every(std::chrono::seconds(seconds), [] { write_heartbeat(); });
}

}  // namespace portsyncd
