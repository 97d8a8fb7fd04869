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

// Tells apart the writes of one row. Grows with every put() and erase() of a sink; never 0.
using Revision = std::uint64_t;

// A row found in the store: its name and those of our fields that it has. Borrowed for the call.
struct StoredRow {
  std::string_view port;  // its name
  const std::vector<std::pair<std::string_view, std::string_view>>* fields =
      nullptr;  // name, value; never nullptr in a call
  // What the store itself says of who wrote the row. It counts for a name that the filter does not match.
  //   unknown  nothing
  //   likely   it has all of the fields that we write
  //   ours     the store keeps a list of our rows, and this one is in it
  enum class Owner : std::uint8_t { unknown, likely, ours };
  Owner owner = Owner::unknown;  // see above
  // A field of ours that may be there and could not be read: what it holds is not known; "" = there is none.
  std::string_view unread_field{};
  // False: the row is there and could not be read. It has no fields then, which says nothing of what it holds.
  bool readable = true;
};

// What read_back() is to read: every row of the table, or the ports listed.
enum class Scope : std::uint8_t { all, listed };

// What a sink has counted since it was made, and how it is now.
struct SinkStatistics {
  std::uint64_t commands = 0;               // requests sent to the store
  std::uint64_t batches = 0;                // flush() calls that had something to send
  std::uint64_t bytes_sent = 0;             // to the store
  std::uint64_t opens = 0;                  // times the sink became open; reconnects = opens - 1
  std::uint64_t refused = 0;                // rows that the store answered with an error
  std::uint64_t index_failures = 0;         // index updates that failed (a failing index never fails a row)
  std::uint64_t timeouts = 0;               // connections given up because an answer did not come in time
  std::chrono::microseconds round_trip{0};  // of the latest batch or probe, first byte sent to last answer
  bool open = false;                        // between on_open() and on_closed()
  std::string last_error;  // text of the latest error, for people; "" = none yet. Never holds a password
};

// Stores rows. An executor without policy or queue of its own: the Synchronizer decides what is written and when.
//
// Life: start(), then on_open() whenever rows can be written, on_closed() whenever they no longer can; a sink that can
// reconnects by itself, for ever. put() and erase() collect a batch, flush() ends and sends it; at most room() rows may
// be unanswered. Each put() and erase() that returned no error is answered by exactly one on_result(), or by
// on_closed(). What they are given is borrowed for the call. An error of process() is the end of this sink alone.
//
// Implement this interface for a store with a connection of its own; where a function per row is enough, use
// make_callback_sink().
class PORTSYNC_API StateSink : public Pollable {
 public:
  // Implemented by the Synchronizer. Called from the sink's process() only.
  class PORTSYNC_API Observer {
   public:
    virtual ~Observer();
    // Rows can be written. What the store holds is unknown from here. The sink's other functions may be called in it.
    virtual void on_open() = 0;
    // read_back() found this row. With Scope::listed a listed port without a row is not told.
    virtual void on_row(const StoredRow& row) = 0;
    // read_back() has ended; with an error, rows may be missing from it.
    virtual void on_read_back(std::error_code error) = 0;
    // A put() or erase() was stored, or refused and why: a part of it may be stored then, and it is done whole again.
    // Errc::try_again: nothing of it was done, for a reason that is over now.
    virtual void on_result(std::string_view port, Revision revision, std::error_code error) = 0;
    // No longer open, or not opened by the attempt that has failed; what has not been answered may or may not be
    // stored. Errc::try_again: the store closed the connection while nothing was on its way and it is opened again at
    // once; what the store holds is as well known as before, until another on_closed() says why it is not.
    virtual void on_closed(std::error_code error) = 0;
  };

  // Begins to open. The observer outlives the sink's use. Errc::already_started the second time.
  [[nodiscard]] virtual std::error_code start(Observer& observer) = 0;

  // Reads rows back, answered by on_row() for each and one on_read_back(). What put() and erase() did before is seen,
  // if it was stored. `ports` is used during the call only and counts for Scope::listed alone. Errc::not_supported =
  // write-only: such a sink gets every row after on_open(). Errc::not_open, Errc::busy (one read-back at a time).
  [[nodiscard]] virtual std::error_code read_back(Scope scope, const std::vector<std::string_view>& ports) = 0;

  // Adds a row to the batch. `stored` is what the store is known to hold of it, nullptr when that is not known: a sink
  // may leave out what is equal. Errc::not_open, Errc::no_room.
  [[nodiscard]] virtual std::error_code put(const PortRecord& record, const PortRecord* stored, Revision revision) = 0;

  // Adds a removal to the batch. A row that does not exist is removed without an error. Errc::not_open, Errc::no_room.
  [[nodiscard]] virtual std::error_code erase(std::string_view port, Revision revision) = 0;

  // Ends the batch and sends it, without waiting for answers. Errc::not_open.
  [[nodiscard]] virtual std::error_code flush() = 0;

  // How many more rows may be put or erased now.
  [[nodiscard]] virtual std::size_t room() const noexcept = 0;

  // At any time.
  [[nodiscard]] virtual SinkStatistics statistics() const = 0;
};

// An observer may implement this beside StateSink::Observer; a sink whose erase() takes whole rows asks for it by
// dynamic_cast in start().
class PORTSYNC_API ErasureObserver {
 public:
  virtual ~ErasureObserver();
  // Before the on_result() of an erase(): it removed these fields of other writers, too.
  virtual void on_fields_lost(std::string_view port, const std::vector<std::string>& names) = 0;
};

// What a store itself says of its troubles. A StateSink that implements it, too, is found by Synchronizer::add_sink().
class PORTSYNC_API StoreWords {
 public:
  virtual ~StoreWords();
  // Inside an on_result(), on_read_back() or on_closed() with an error: what the store said, of which key, for people;
  // "" = the error_code says it all. Never holds a password.
  [[nodiscard]] virtual const std::string& error_text() const noexcept = 0;
  // What is amiss though no row fails for it (an index refused, rows that cannot be read), for people; "" = nothing.
  [[nodiscard]] virtual const std::string& trouble() const noexcept = 0;
};

// A write-only sink of two functions, called by put() and erase(), which must not block: an error that they return
// counts as a refused row, tried again later. Throws std::system_error (no descriptor).
[[nodiscard]] PORTSYNC_API std::unique_ptr<StateSink> make_callback_sink(
    std::function<std::error_code(const PortRecord& record)> put,
    std::function<std::error_code(std::string_view port)> erase);

}  // namespace portsync
