// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <portsync/export.hpp>
#include <portsync/port_record.hpp>
#include <portsync/state_sink.hpp>
#include <string>
#include <system_error>

namespace portsync::redis {

// How a connection failed or what Redis refused. Socket errors keep their errno (std::system_category).
enum class Errc {
  protocol = 1,  // the answer was not RESP, or not what the command answers
  timeout,       // no connection, or no answer, within the time allowed
  end_of_file,   // Redis closed the connection
  resolve,       // the host name has no address
  oom,           // -OOM: maxmemory is reached
  readonly,      // -READONLY: a replica; the connection is opened anew, for the name may lead to the new master
  noperm,        // -NOPERM: the ACL user may not
  noauth,        // -NOAUTH: a password is needed
  wrongpass,     // -WRONGPASS, or AUTH refused
  loading,       // -LOADING: the dataset is being read
  busy,          // -BUSY: a script runs
  misconf,       // -MISCONF: persistence fails
  noreplicas,    // -NOREPLICAS
  wrongtype,     // -WRONGTYPE: the key holds something that is not a hash
  max_clients,   // -ERR max number of clients reached
  other,         // any other error reply; SinkStatistics::last_error has its text
};

[[nodiscard]] PORTSYNC_API const std::error_category& error_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

struct ConnectionOptions {
  std::string host = "127.0.0.1";  // name, IPv4 or IPv6; a name is resolved by a short-lived thread at every attempt
  std::uint16_t port = 6379;
  std::string socket_path;                           // unix socket; wins over host and port when not empty
  std::string username;                              // ACL user; "" = the default user
  std::string password;                              // "" = no AUTH. Appears in no error, statistics or exception
  int database = 0;                                  // SELECT
  std::string client_name = "portsyncd";             // CLIENT SETNAME
  std::chrono::milliseconds timeout{5'000};          // to connect, and for each answer
  std::chrono::milliseconds retry_interval{2'000};   // pause between attempts to connect, +- 10 %
  std::chrono::milliseconds probe_interval{10'000};  // PING after this long without traffic; 0 = never
};

// What erase() does: remove our fields (Redis removes a hash that has none left), or the key with all that is in it.
enum class EraseMode : std::uint8_t { own_fields, whole_key };

struct StateSinkOptions {
  ConnectionOptions connection;
  std::string table = "PORT_TABLE";
  std::string separator = "|";  // a row's key is table + separator + port
  // The bare hash `table`: field = port, value = netdev_oper_status. Written in the batch's own MULTI when it changes.
  bool index = true;
  EraseMode erase = EraseMode::own_fields;
};

// SONiC's STATE_DB row: state=ok, netdev_oper_status (IFF_RUNNING), admin_status (IFF_UP), mtu; and, with an index, the
// port's entry there as one more field.
[[nodiscard]] PORTSYNC_API Projection make_projection(const StateSinkOptions& options);

// A sink that keeps rows as hashes in Redis (6 or later). Connects when started, reconnects for ever, never blocks,
// pipelines. A connection that is given up is reset, and killed by its client id from the next one before anything is
// written, so that its late writes cannot land after newer ones. Throws std::system_error (no descriptor) and
// std::invalid_argument.
[[nodiscard]] PORTSYNC_API std::unique_ptr<StateSink> make_state_sink(StateSinkOptions options);

}  // namespace portsync::redis

template <>
struct std::is_error_code_enum<portsync::redis::Errc> : std::true_type {};
