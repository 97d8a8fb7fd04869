// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <portsync/export.hpp>
#include <string>
#include <system_error>

namespace portsync::redis {

// Why a connection failed, or why Redis refused a command. Socket errors keep their errno (std::system_category).
enum class Errc {
  protocol = 1,  // the reply was not RESP, or not one that the command can have
  timeout,       // no connection, or no reply, within the time allowed
  end_of_file,   // Redis closed the connection
  resolve,       // the host name has no address
  oom,           // -OOM: maxmemory is reached
  readonly,      // -READONLY: a replica; reconnects, because the name may now resolve to the new master
  noperm,        // -NOPERM: the ACL does not permit it
  noauth,        // -NOAUTH: a password is needed
  wrongpass,     // -WRONGPASS, or AUTH refused
  loading,       // -LOADING: the dataset is being read
  busy,          // -BUSY: a script runs
  misconf,       // -MISCONF: persistence fails
  noreplicas,    // -NOREPLICAS
  wrongtype,     // -WRONGTYPE: the key holds something else, not a hash
  max_clients,   // -ERR max number of clients reached
  other,         // any other error reply; last_error has its text
  masterdown,    // -MASTERDOWN: a replica without its master, which serves no requests
  idle,  // Redis, or something between, closed the connection while no command was outstanding (Redis's `timeout`)
};

// Returns the category of redis::Errc, "redis".
[[nodiscard]] PORTSYNC_API const std::error_category& error_category() noexcept;

// Lets redis::Errc convert to std::error_code.
[[nodiscard]] inline std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

// How to reach one database of a Redis server, and how long to wait for it.
struct ConnectionOptions {
  std::string host = "127.0.0.1";         // name, IPv4 or IPv6; a short-lived thread resolves a name at every attempt
  std::uint16_t port = 6379;              // TCP
  std::string socket_path;                // Unix socket; takes precedence over host and port when not empty
  std::string username;                   // ACL user; "" = the default user
  std::string password;                   // "" = no AUTH. Appears in no error, statistics or exception
  int database = 0;                       // SELECT
  std::string client_name = "portsyncd";  // CLIENT SETNAME
  std::chrono::milliseconds timeout{5'000};          // to connect, and for each reply
  std::chrono::milliseconds retry_interval{2'000};   // pause between attempts to connect, +- 10 %
  std::chrono::milliseconds probe_interval{10'000};  // PING after this long without traffic; 0 = never
  std::function<std::string()> current_password;  // called before each attempt to connect, instead of using `password`
};

}  // namespace portsync::redis

template <>
struct std::is_error_code_enum<portsync::redis::Errc> : std::true_type {};
