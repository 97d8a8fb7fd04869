// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "loop/event_loop.hpp"

namespace portsyncd {

// Writes the heartbeat that SONiC's event listener for supervisord expects to standard output: once now, and then every
// `seconds` seconds; 0 = never. Skips a heartbeat if the reader does not read.
void start_heartbeat(EventLoop& loop, std::int64_t seconds);

}  // namespace portsyncd
