// SPDX-License-Identifier: Apache-2.0
#include "config/databases.hpp"

#include <chrono>

namespace portsyncd {

std::string server_name(const DatabaseAddress& address) {
  if (!address.socket.empty()) return "Redis at " + address.socket;
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + address.host + "]" : address.host;
  return "Redis at " + host + ":" + std::to_string(address.port);
}

portsync::redis::ConnectionOptions connection_options(const DatabaseAddress& address, const Config::Database& config,
                                                      const CurrentPassword& password, const std::string& client_name) {
  portsync::redis::ConnectionOptions options;
  options.host = address.host;
  options.port = static_cast<std::uint16_t>(address.port);
  options.socket_path = address.socket;
  options.username = config.redis_username;
  options.current_password = password;
  options.database = static_cast<int>(address.number);
  options.client_name = client_name;
  options.timeout = std::chrono::seconds(config.connection_timeout_secs);
  options.retry_interval = std::chrono::seconds(config.retry_interval_secs);
  return options;
}

}  // namespace portsyncd
