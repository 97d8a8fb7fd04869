// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <portsync/export.hpp>
#include <portsync/pollable.hpp>
#include <portsync/redis/connection_options.hpp>
#include <set>
#include <string>
#include <system_error>

namespace portsync::redis {

// The table whose row names are read.
struct KeyReaderOptions {
  ConnectionOptions connection;  // its database is the table's: CONFIG_DB is 4
  std::string table = "PORT";    // its name
  std::string separator = "|";   // a row's key is table + separator + name
  // A key of that database that must be "1" before and after reading the names; otherwise the names count as unknown. A
  // database that is being loaded, or came back empty, looks like one without rows. "" = no such key. For CONFIG_DB use
  // CONFIG_DB_INITIALIZED.
  std::string initialized_key;
  // Also reads when a keyspace event of the table arrives (see TableSubscriber), through a second connection.
  bool follow = false;
};

// Reads the names of a table's rows: once connected, after every reconnect, and on request. While the names are unknown
// (initialized_key), it also reads every retry_interval. Uses SCAN, never KEYS.
class PORTSYNC_API KeyReader : public Pollable {
 public:
  // Names without table and separator, sorted.
  using Names = std::set<std::string, std::less<>>;
  // Receives all names after each reading, but not while they are unknown. Only process() calls it.
  using Handler = std::function<void(const Names& names)>;

  // Begins to connect, and reconnects without limit. Returns Errc::already_started the second time.
  [[nodiscard]] virtual std::error_code start(Handler handler) = 0;

  // Reads again. One reading serves all requests made before it ends. Without a connection, the reading after the next
  // connect serves them.
  virtual void refresh() = 0;

  // Returns why the latest attempt to connect or to read failed, or why the names are unknown; "" = they are known.
  // Never contains a password.
  [[nodiscard]] virtual std::string last_error() const = 0;
};

// Makes a reader. Throws std::system_error (no descriptor) and std::invalid_argument.
[[nodiscard]] PORTSYNC_API std::unique_ptr<KeyReader> make_key_reader(KeyReaderOptions options);

}  // namespace portsync::redis
