// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <portsync/export.hpp>
#include <portsync/redis/database.hpp>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// SONiC's tables: a row is a hash under the key table + separator + name. The objects here are views whose only state
// is their names. They borrow the Database. Its process() calls each handler once per call, even if the view is gone by
// then. Each function returns Errc::not_open, and never calls its handler, when the Database is not open. A call
// without names or rows still calls its handler.

namespace portsync::redis {

// A row's fields and their values, unsorted.
using FieldValues = std::vector<std::pair<std::string, std::string>>;

// A row of a table.
struct TableRow {
  std::string name;    // its key without table and separator
  FieldValues fields;  // all fields at the time of reading
};

// Returns the value of the field of this name, or nullptr when there is none.
[[nodiscard]] PORTSYNC_API const std::string* find_field(const FieldValues& fields, std::string_view name) noexcept;

// Reads rows of a table.
class PORTSYNC_API TableReader {
 public:
  // Borrows the database.
  TableReader(Database& database, std::string table, std::string separator);

  // A row's fields.
  using RowHandler = std::function<void(std::error_code error, const FieldValues& fields)>;
  // Rows, sorted by name.
  using RowsHandler = std::function<void(std::error_code error, const std::vector<TableRow>& rows)>;
  // Names of rows.
  using NamesHandler = std::function<void(std::error_code error, const std::set<std::string, std::less<>>& names)>;

  // Reads one row (HGETALL). If there is no such row, `fields` is empty.
  [[nodiscard]] std::error_code read(std::string_view name, RowHandler handler);
  // Reads all rows, sorted by name. Uses SCAN, never KEYS, then HGETALL in one pipeline. A row that disappears
  // meanwhile is omitted, and so is a key that is not a hash. More than 65,536 rows yield Errc::protocol. With an
  // error, `rows` is empty.
  [[nodiscard]] std::error_code read_all(RowsHandler handler);
  // Reads all names (SCAN).
  [[nodiscard]] std::error_code names(NamesHandler handler);
  // Reads which of `names` exist (EXISTS), in one pipeline.
  [[nodiscard]] std::error_code existing(const std::vector<std::string>& names, NamesHandler handler);

 private:
  Database& database_;
  std::string table_;
  std::string separator_;
};

// Writes rows of a table.
class PORTSYNC_API TableWriter {
 public:
  // Borrows the database.
  TableWriter(Database& database, std::string table, std::string separator);

  // Receives success or the error.
  using Handler = std::function<void(std::error_code error)>;

  // Sets these fields (one HSET, one keyspace event) and leaves the row's other fields unchanged. Without fields,
  // returns std::errc::invalid_argument and never calls the handler.
  [[nodiscard]] std::error_code set(std::string_view name, const FieldValues& fields, Handler handler);
  // Removes the row (DEL). Removing a row that does not exist is no error.
  [[nodiscard]] std::error_code del(std::string_view name, Handler handler);

 private:
  Database& database_;
  std::string table_;
  std::string separator_;
};

// The producer's side of sonic-swss-common's ProducerStateTable. It stages rows under "_TABLE:name". The consumer,
// usually orchagent, takes them over and writes the real rows. A call is one atomic command: a Lua script, sent with
// its source each time, so that a restarted server needs no setup. A call with more than 128 rows or tens of thousands
// of words becomes several commands in sequence. Each row that is not already staged is announced by a message of its
// own. A refused row is neither staged nor announced; the others are, and the handler gets the first refusal.
class PORTSYNC_API ProducerTable {
 public:
  // Borrows the database. `number` is the database's number, which the channel's name contains: "PORT_TABLE_CHANNEL@0".
  ProducerTable(Database& database, std::string table, std::string separator, int number);

  // Receives success or the error.
  using Handler = std::function<void(std::error_code error)>;

  // Stages and announces these rows. A row without fields gets SONiC's ("NULL", "NULL"), because Redis has no empty
  // hash.
  [[nodiscard]] std::error_code set(const std::vector<TableRow>& rows, Handler handler);
  // Announces the removal of these rows.
  [[nodiscard]] std::error_code del(const std::vector<std::string>& names, Handler handler);

 private:
  Database& database_;
  std::string table_;
  std::string separator_;
  int number_;
};

}  // namespace portsync::redis
