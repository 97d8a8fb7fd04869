// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <portsync/redis/state_sink.hpp>
#include <string>

#include "config/config.hpp"

namespace portsyncd {

// Where one of SONiC's databases is.
struct DatabaseAddress {
  std::string socket;  // wins over host and port when not empty
  std::string host;
  std::int64_t port = 0;
  std::int64_t number = 0;
  std::string separator;  // between a table's name and a row's
  std::string origin;     // of what is known of the server, for people: "" = the default

  bool operator==(const DatabaseAddress&) const = default;
};

struct Databases {
  DatabaseAddress config_db;
  DatabaseAddress appl_db;
  DatabaseAddress state_db;

  bool operator==(const Databases&) const = default;
};

// "Redis at /run/redis.sock", "Redis at 127.0.0.1:6379", "Redis at [::1]:6379".
[[nodiscard]] std::string server_name(const DatabaseAddress& address);

// Returns what holds now: a reload may change it. Called at every attempt to connect, and must outlive the connections.
using CurrentPassword = std::function<std::string()>;

// How to reach it; one password for all.
[[nodiscard]] portsync::redis::ConnectionOptions connection_options(const DatabaseAddress& address,
                                                                    const Config::Database& config,
                                                                    const CurrentPassword& password,
                                                                    const std::string& client_name);

}  // namespace portsyncd
