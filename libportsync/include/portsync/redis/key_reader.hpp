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

// Whose names are read.
struct KeyReaderOptions {
  ConnectionOptions connection;  // its database is the table's: CONFIG_DB is 4
  std::string table = "PORT";    // its name
  std::string separator = "|";   // a row's key is table + separator + name
  // A key of that database that must be "1" before and after the names are read, or they are not known: a database that
  // is being loaded, or came back empty, looks like one without rows. "" = none; CONFIG_DB has CONFIG_DB_INITIALIZED.
  std::string initialized_key;
  // Reads as well when a keyspace event of the table comes (see TableSubscriber), by a second connection.
  bool follow = false;
};

// Reads the names of a table's rows: once connected, after every reconnect, and when asked to; while they are not known
// (initialized_key) also every retry_interval. Uses SCAN, never KEYS.
class PORTSYNC_API KeyReader : public Pollable {
 public:
  // Names without table and separator, in order.
  using Names = std::set<std::string, std::less<>>;
  // All the names, after each reading; not called while they are not known. Called from process() only.
  using Handler = std::function<void(const Names& names)>;

  // Begins to connect, and connects again for ever. Errc::already_started the second time.
  [[nodiscard]] virtual std::error_code start(Handler handler) = 0;

  // Reads again. One reading serves all who ask before it ends; without a connection, the next one's serves.
  virtual void refresh() = 0;

  // Why the latest attempt to connect or to read failed, or why the names are not known; "" = they are. Never holds a
  // password.
  [[nodiscard]] virtual std::string last_error() const = 0;
};

// Throws std::system_error (no descriptor) and std::invalid_argument.
[[nodiscard]] PORTSYNC_API std::unique_ptr<KeyReader> make_key_reader(KeyReaderOptions options);

}  // namespace portsync::redis
