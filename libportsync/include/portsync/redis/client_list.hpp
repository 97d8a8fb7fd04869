// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <portsync/export.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace portsync::redis {

// One connection to a Redis server.
struct ListedClient {
  std::int64_t id = 0;  // increases from client to client of one server process
  std::string name;     // set by CLIENT SETNAME
};

// Returns the named clients of a CLIENT LIST reply (https://redis.io/docs/latest/commands/client-list).
[[nodiscard]] PORTSYNC_API std::vector<ListedClient> named_clients(std::string_view client_list);

}  // namespace portsync::redis
