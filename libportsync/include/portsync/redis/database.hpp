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

// What Redis answered to a command (https://redis.io/docs/latest/develop/reference/protocol-spec, RESP2).
struct Answer {
  // RESP2's; an error is no answer but an error_code.
  enum class Type : std::uint8_t { nil, status, string, integer, array, error };

  Type type = Type::nil;         // decides which of the others is set; error: inside an array only (EXEC, EVAL)
  std::string text;              // status, string and error
  std::int64_t integer = 0;      // integer
  std::vector<Answer> elements;  // array
};

// One numbered database of a Redis server, by a connection of its own that comes back for ever. Commands are pipelined
// and answered in order: those added between two calls of process(), or in one of its handlers, leave together.
//
// TableReader, TableWriter and ProducerTable are built on it; any number of them may share one.
class PORTSYNC_API Database : public Pollable {
 public:
  // Called from process() only. An error reply of Redis is its Errc, its text is in last_error(), and `answer` is nil.
  using Handler = std::function<void(std::error_code error, const Answer& answer)>;

  // Told when the connection comes and goes. Called from process() only.
  class PORTSYNC_API Observer {
   public:
    virtual ~Observer();
    // Commands may be sent. Nothing that was read before is known to hold.
    virtual void on_open() = 0;
    // No longer open, or an attempt to open has failed. Called after each command without an answer has been answered
    // by `error`: it may have been done or not.
    virtual void on_closed(std::error_code error) = 0;
  };

  // Begins to connect. The observer outlives the object's use. Errc::already_started the second time.
  [[nodiscard]] virtual std::error_code start(Observer& observer) = 0;

  // Between on_open() and on_closed().
  [[nodiscard]] virtual bool open() const noexcept = 0;

  // Adds a command. `handler` may be empty; it is called exactly once, unless the Database is destroyed first.
  // Errc::not_open, or std::errc::invalid_argument (no words): then it never is. Not for commands that have no answer,
  // or more than one (SUBSCRIBE, MONITOR, CLIENT REPLY), nor for SELECT, which the next connection would not know of.
  // How many are on their way is bounded by the caller.
  [[nodiscard]] virtual std::error_code command(const std::vector<std::string_view>& words, Handler handler) = 0;

  // The server process's run_id (INFO server), another one after every restart of it. "" before the first on_open(), or
  // when the server does not say (ACL).
  [[nodiscard]] virtual const std::string& run_id() const noexcept = 0;

  // Text of the latest error, for people; "" = none yet. Never holds a password.
  [[nodiscard]] virtual const std::string& last_error() const noexcept = 0;

  // Gives the connection up, as if it had been lost (std::errc::operation_canceled), and connects anew: at once if it
  // was open for as long as retry_interval, else after that. Without a connection it changes nothing.
  virtual void reopen() = 0;
};

// Throws std::system_error (no descriptor) and std::invalid_argument.
[[nodiscard]] PORTSYNC_API std::unique_ptr<Database> make_database(ConnectionOptions options);

}  // namespace portsync::redis
