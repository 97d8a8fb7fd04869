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

// What erase() does: remove our fields (Redis removes a hash that has none left), or the key with all that is in it.
enum class EraseMode : std::uint8_t { own_fields, whole_key };

// Where rows are kept, and how they are removed.
struct StateSinkOptions {
  ConnectionOptions connection;      // STATE_DB is database 6
  std::string table = "PORT_TABLE";  // and the name of the index
  std::string separator = "|";       // a row's key is table + separator + port
  // The bare hash `table`: field = port, value = netdev_oper_status. Written in the batch's own MULTI when it changes.
  bool index = true;                        // kept
  EraseMode erase = EraseMode::own_fields;  // what a removal removes
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
