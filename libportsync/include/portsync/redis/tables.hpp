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

// SONiC's tables: a row is a hash under the key table + separator + name. The objects here are views that hold no state
// but their names: they borrow the Database, which calls their handlers from its process(), once for each call, also
// when the object has gone. Each function returns Errc::not_open, and never calls its handler, when the Database is not
// open. A call that asks for nothing (no names, no rows) is answered, too.

namespace portsync::redis {

// A row's fields and their values, in no order.
using FieldValues = std::vector<std::pair<std::string, std::string>>;

// A row of a table.
struct TableRow {
  std::string name;    // its key without table and separator
  FieldValues fields;  // all of them, when it was read
};

// The value of the field of this name; nullptr when there is none.
[[nodiscard]] PORTSYNC_API const std::string* find_field(const FieldValues& fields, std::string_view name) noexcept;

// Reads rows of a table.
class PORTSYNC_API TableReader {
 public:
  // Borrows the database.
  TableReader(Database& database, std::string table, std::string separator);

  // A row's fields.
  using RowHandler = std::function<void(std::error_code error, const FieldValues& fields)>;
  // Rows in the order of their names.
  using RowsHandler = std::function<void(std::error_code error, const std::vector<TableRow>& rows)>;
  // Names of rows.
  using NamesHandler = std::function<void(std::error_code error, const std::set<std::string, std::less<>>& names)>;

  // One row (HGETALL); no fields: there is no such row.
  [[nodiscard]] std::error_code read(std::string_view name, RowHandler handler);
  // All rows, in the order of their names: SCAN, never KEYS, and then HGETALL in one pipeline. A row that goes
  // meanwhile is left out, and so is what is not a hash. More than 65,536 rows are Errc::protocol. With an error there
  // are none.
  [[nodiscard]] std::error_code read_all(RowsHandler handler);
  // All names (SCAN).
  [[nodiscard]] std::error_code names(NamesHandler handler);
  // Those of `names` that are there (EXISTS), in one pipeline.
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

  // Done, or why not.
  using Handler = std::function<void(std::error_code error)>;

  // Sets these fields (one HSET, one keyspace event) and leaves the row's others alone. std::errc::invalid_argument: no
  // fields, and the handler is never called.
  [[nodiscard]] std::error_code set(std::string_view name, const FieldValues& fields, Handler handler);
  // Removes the row (DEL). One that is not there is removed without an error.
  [[nodiscard]] std::error_code del(std::string_view name, Handler handler);

 private:
  Database& database_;
  std::string table_;
  std::string separator_;
};

// The producer's side of sonic-swss-common's ProducerStateTable: rows are staged under "_TABLE:name" and taken over by
// the consumer, orchagent as a rule, which then makes the real row. A call is one command and atomic (a Lua script,
// sent as such, so that a restarted server needs no other), or several one after the other when it has more than 128
// rows or tens of thousands of words. Each row that does not wait already is announced by a message of its own. A row
// that is refused is neither staged nor announced, the others are, and the handler has the first refusal.
class PORTSYNC_API ProducerTable {
 public:
  // `number` is the database's, which is in the channel's name: "PORT_TABLE_CHANNEL@0".
  ProducerTable(Database& database, std::string table, std::string separator, int number);

  // Done, or why not.
  using Handler = std::function<void(std::error_code error)>;

  // A row without fields gets SONiC's ("NULL", "NULL"): Redis has no empty hash.
  [[nodiscard]] std::error_code set(const std::vector<TableRow>& rows, Handler handler);
  // Announces that these rows are to go.
  [[nodiscard]] std::error_code del(const std::vector<std::string>& names, Handler handler);

 private:
  Database& database_;
  std::string table_;
  std::string separator_;
  int number_;
};

}  // namespace portsync::redis
