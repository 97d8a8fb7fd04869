// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <portsync/export.hpp>
#include <portsync/port_record.hpp>
#include <portsync/redis/connection_options.hpp>
#include <portsync/state_sink.hpp>
#include <string>

namespace portsync::redis {

// The extent of erase(): our fields only (Redis removes a hash without fields), or the key with its whole contents.
enum class EraseMode : std::uint8_t { own_fields, whole_key };

// Where the rows are stored, and how they are removed.
struct StateSinkOptions {
  ConnectionOptions connection;      // STATE_DB is database 6
  std::string table = "PORT_TABLE";  // also the name of the index
  std::string separator = "|";       // a row's key is table + separator + port
  // The hash named `table` alone: field = port, value = netdev_oper_status. It is written in the batch's own MULTI when
  // it changes.
  bool index = true;                        // keep the index
  EraseMode erase = EraseMode::own_fields;  // what erase() removes
};

// Returns the projection to SONiC's STATE_DB row: state=ok, netdev_oper_status (IFF_RUNNING), admin_status (IFF_UP) and
// mtu. With an index, the record has one more field: the port's entry in the index.
[[nodiscard]] PORTSYNC_API Projection make_projection(const StateSinkOptions& options);

// Makes a sink that stores rows as hashes in Redis (6 or later). It connects when started, reconnects without limit,
// pipelines and never blocks. If it abandons a connection, it resets it. The next connection kills the old one by its
// client id before it writes anything, so that late writes cannot overwrite newer ones. Throws std::system_error (no
// descriptor) and std::invalid_argument.
[[nodiscard]] PORTSYNC_API std::unique_ptr<StateSink> make_state_sink(StateSinkOptions options);

}  // namespace portsync::redis
