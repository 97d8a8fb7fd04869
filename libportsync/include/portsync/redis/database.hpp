// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <portsync/export.hpp>
#include <portsync/pollable.hpp>
#include <portsync/redis/connection_options.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace portsync::redis {

// The reply of Redis to a command (https://redis.io/docs/latest/develop/reference/protocol-spec, RESP2).
struct Answer {
  // The types of RESP2. An error reply of the whole command becomes an error_code instead.
  enum class Type : std::uint8_t { nil, status, string, integer, array, error };

  Type type = Type::nil;         // decides which other member is set; error: inside an array only (EXEC, EVAL)
  std::string text;              // status, string and error
  std::int64_t integer = 0;      // integer
  std::vector<Answer> elements;  // array
};

// One numbered database of a Redis server. It has a connection of its own and reconnects without limit. Commands are
// pipelined and their replies come in order. Commands added between two calls of process(), or in one of its handlers,
// are sent together.
//
// TableReader, TableWriter and ProducerTable use it; any number of them may share one.
class PORTSYNC_API Database : public Pollable {
 public:
  // Only process() calls it. For an error reply of Redis, `error` is its Errc, last_error() has the text, and `answer`
  // is nil.
  using Handler = std::function<void(std::error_code error, const Answer& answer)>;

  // Receives the events of the connection. Only process() calls it.
  class PORTSYNC_API Observer {
   public:
    virtual ~Observer();
    // Commands may be sent. Everything that was read before may be out of date.
    virtual void on_open() = 0;
    // The connection is no longer open, or an attempt to open it failed. Before this call, the handler of each
    // outstanding command gets `error`; Redis may have executed that command or not.
    virtual void on_closed(std::error_code error) = 0;
  };

  // Begins to connect. The observer must outlive the use of the object. Returns Errc::already_started the second time.
  [[nodiscard]] virtual std::error_code start(Observer& observer) = 0;

  // Returns true between on_open() and on_closed().
  [[nodiscard]] virtual bool open() const noexcept = 0;

  // Adds a command. `handler` may be empty. It is called exactly once, unless the Database is destroyed first or this
  // function returns an error: Errc::not_open, or std::errc::invalid_argument (no words). Do not use it for commands
  // with no reply or with several (SUBSCRIBE, MONITOR, CLIENT REPLY), nor for SELECT, because the next connection would
  // not repeat it. The caller limits the number of outstanding commands.
  [[nodiscard]] virtual std::error_code command(const std::vector<std::string_view>& words, Handler handler) = 0;

  // Returns the server process's run_id (INFO server), which is different after every restart of the server. "" before
  // the first on_open(), or when the server does not reveal it (ACL).
  [[nodiscard]] virtual const std::string& run_id() const noexcept = 0;

  // Returns the text of the latest error, for people; "" = none yet. Never contains a password.
  [[nodiscard]] virtual const std::string& last_error() const noexcept = 0;

  // Drops the connection as if it had been lost (std::errc::operation_canceled), and reconnects. It reconnects at once
  // if the connection had been open for retry_interval, otherwise after retry_interval. Without a connection it does
  // nothing.
  virtual void reopen() = 0;
};

// Makes a database. Throws std::system_error (no descriptor) and std::invalid_argument.
[[nodiscard]] PORTSYNC_API std::unique_ptr<Database> make_database(ConnectionOptions options);

}  // namespace portsync::redis
