// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <portsync/redis/state_sink.hpp>
#include <string>

#include "config/config.hpp"

namespace portsyncd {

// The address of one of SONiC's databases.
struct DatabaseAddress {
  std::string socket;  // if not empty, used instead of host and port
  std::string host;
  std::int64_t port = 0;
  std::int64_t number = 0;
  std::string separator;  // between the table's and the row's name in a key
  std::string origin;     // the source of the server's address, for messages; "" = the default

  bool operator==(const DatabaseAddress&) const = default;
};

struct Databases {
  DatabaseAddress config_db;
  DatabaseAddress appl_db;
  DatabaseAddress state_db;

  bool operator==(const Databases&) const = default;
};

// Returns "Redis at /run/redis.sock", "Redis at 127.0.0.1:6379", "Redis at [::1]:6379".
[[nodiscard]] std::string server_name(const DatabaseAddress& address);

// Returns the current password, which a reload may change. Every attempt to connect calls it, so it must outlive the
// connections.
using CurrentPassword = std::function<std::string()>;

// Returns the options for a connection to the database. All databases share one password.
[[nodiscard]] portsync::redis::ConnectionOptions connection_options(const DatabaseAddress& address,
                                                                    const Config::Database& config,
                                                                    const CurrentPassword& password,
                                                                    const std::string& client_name);

}  // namespace portsyncd
