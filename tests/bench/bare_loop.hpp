// SPDX-License-Identifier: Apache-2.0
// The floor of latency: receive, write, receive, and nothing else.
#pragma once

#include <string>

namespace portsync::bench {

// Reads link messages one by one, and writes one blocking HSET of the row's four fields for each. To be run in a child
// process.
[[noreturn]] void run_bare_loop(const std::string& redis_path, int database);

}  // namespace portsync::bench
