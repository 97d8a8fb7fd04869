// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <portsync/error.hpp>
#include <portsync/export.hpp>
#include <portsync/pollable.hpp>
#include <portsync/port_record.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace portsync {

// Distinguishes the writes of one row. Grows with every put() and erase() of a sink; never 0.
using Revision = std::uint64_t;

// A row found in the store: its name and those of our fields that it has. Borrowed for the call.
struct StoredRow {
  std::string_view port;  // its name
  // Names and values of the fields. Never nullptr in a call.
  const std::vector<std::pair<std::string_view, std::string_view>>* fields = nullptr;
  // The store's own record of which program wrote the row. It matters for a name that the filter does not match.
  //   unknown  the store has no record
  //   likely   the row has all of the fields that we write
  //   ours     the store keeps a list of our rows, and this row is in it
  enum class Owner : std::uint8_t { unknown, likely, ours };
  Owner owner = Owner::unknown;  // see above
  // One of our fields that may exist but could not be read, so its value is unknown; "" = there is none.
  std::string_view unread_field{};
  // False: the row exists but could not be read. Its fields are then those that the store keeps elsewhere and that could
  // be read; it may have more.
  bool readable = true;
};

// The rows that read_back() reads: every row of the table, or the listed ports.
enum class Scope : std::uint8_t { all, listed };

// Counters of a sink since it was made, and its present state.
struct SinkStatistics {
  std::uint64_t commands = 0;               // requests sent to the store
  std::uint64_t batches = 0;                // flush() calls that sent something
  std::uint64_t bytes_sent = 0;             // to the store
  std::uint64_t opens = 0;                  // times the sink became open; reconnects = opens - 1
  std::uint64_t refused = 0;                // rows that the store refused with an error
  std::uint64_t index_failures = 0;         // index updates that failed (a failing index never fails a row)
  std::uint64_t timeouts = 0;               // connections closed because a reply did not come in time
  std::chrono::microseconds round_trip{0};  // of the latest batch or probe, from the first byte sent to the last reply
  bool open = false;                        // between on_open() and on_closed()
  std::string last_error;  // text of the latest error, for people; "" = none yet. Never contains a password
};

// Stores rows. A sink only executes: it has no policy and no queue, because the Synchronizer decides what is written
// and when.
//
// Life: start(), then on_open() whenever rows can be written, and on_closed() whenever they no longer can. A sink that
// can reconnect does so by itself, without limit. put() and erase() collect a batch; flush() ends and sends it. At most
// room() rows may be unacknowledged. For each put() and erase() that returned no error the sink calls on_result()
// exactly once, or on_closed(). Arguments are borrowed for the call. An error of process() ends this sink alone.
//
// Implement this interface for a store with a connection of its own. Where one function per row is enough, use
// make_callback_sink().
class PORTSYNC_API StateSink : public Pollable {
 public:
  // The Synchronizer implements it. Only the sink's process() calls it.
  class PORTSYNC_API Observer {
   public:
    virtual ~Observer();
    // Rows can be written. From here on, the contents of the store are unknown. The observer may call the sink's other
    // functions.
    virtual void on_open() = 0;
    // read_back() found this row. With Scope::listed, a listed port without a row yields no call.
    virtual void on_row(const StoredRow& row) = 0;
    // read_back() has ended. With an error, some rows may have been omitted.
    virtual void on_read_back(std::error_code error) = 0;
    // A put() or erase() was stored, or refused with this error. A refused one may be stored in part; the caller
    // repeats it whole. Errc::try_again: nothing of it was done, for a reason that has passed.
    virtual void on_result(std::string_view port, Revision revision, std::error_code error) = 0;
    // The sink is no longer open, or an attempt to open it failed. Unacknowledged rows may or may not be stored.
    // Errc::try_again: the store closed the connection while no request was outstanding, and the sink reopens it at
    // once. The known contents of the store then stay valid, until an on_closed() with another error.
    virtual void on_closed(std::error_code error) = 0;
  };

  // Begins to open. The observer must outlive the use of the sink. Returns Errc::already_started the second time.
  [[nodiscard]] virtual std::error_code start(Observer& observer) = 0;

  // Reads rows back: on_row() is called for each, then on_read_back() once. The rows include the effects of earlier
  // put() and erase() calls that were stored. `ports` is used during the call only, and only with Scope::listed.
  // Errc::not_supported = write-only: such a sink gets every row after on_open(). Errc::not_open, Errc::busy (one
  // read-back at a time).
  [[nodiscard]] virtual std::error_code read_back(Scope scope, const std::vector<std::string_view>& ports) = 0;

  // Adds a row to the batch. `stored` is what the store is known to hold of it, or nullptr when that is unknown. A sink
  // may omit fields that are equal. Errc::not_open, Errc::no_room.
  [[nodiscard]] virtual std::error_code put(const PortRecord& record, const PortRecord* stored, Revision revision) = 0;

  // Adds a removal to the batch. Removing a row that does not exist is no error. Errc::not_open, Errc::no_room.
  [[nodiscard]] virtual std::error_code erase(std::string_view port, Revision revision) = 0;

  // Ends the batch and sends it, without waiting for replies. Errc::not_open.
  [[nodiscard]] virtual std::error_code flush() = 0;

  // Returns how many more rows may be put or erased now.
  [[nodiscard]] virtual std::size_t room() const noexcept = 0;

  // Returns the counters, at any time.
  [[nodiscard]] virtual SinkStatistics statistics() const = 0;
};

// An optional interface for an observer, beside StateSink::Observer. A sink whose erase() removes whole rows asks for
// it with dynamic_cast in start().
class PORTSYNC_API ErasureObserver {
 public:
  virtual ~ErasureObserver();
  // An erase() removed these fields of other writers, too. Called before the on_result() of that erase().
  virtual void on_fields_lost(std::string_view port, const std::vector<std::string>& names) = 0;
};

// An optional interface for a StateSink: the store's own description of its faults. Synchronizer::add_sink() detects
// it.
class PORTSYNC_API StoreWords {
 public:
  virtual ~StoreWords();
  // Returns the store's words and the key, for people; "" = the error_code says it all. Valid inside an on_result(),
  // on_read_back() or on_closed() with an error. Never contains a password.
  [[nodiscard]] virtual const std::string& error_text() const noexcept = 0;
  // Returns a fault that fails no row (an index refused, rows that cannot be read), for people; "" = none.
  [[nodiscard]] virtual const std::string& trouble() const noexcept = 0;
  // True if a read-back finds out whether the trouble is over, so that the Synchronizer reads everything back every
  // retry_interval until it is.
  [[nodiscard]] virtual bool trouble_ends_by_reading() const noexcept { return false; }
};

// Makes a write-only sink of two functions. put() and erase() call them, so they must not block. An error that they
// return counts as a refused row, which is tried again later. Throws std::system_error (no descriptor).
[[nodiscard]] PORTSYNC_API std::unique_ptr<StateSink> make_callback_sink(
    std::function<std::error_code(const PortRecord& record)> put,
    std::function<std::error_code(std::string_view port)> erase);

}  // namespace portsync
