// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "loop/event_loop.hpp"

namespace portsyncd {

// Writes what SONiC's event listener under supervisord takes for a sign of life to standard output, at once and every
// so many seconds; 0 = never. Whoever does not read is not waited for.
void start_heartbeat(EventLoop& loop, std::int64_t seconds);

}  // namespace portsyncd
