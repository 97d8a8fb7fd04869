// SPDX-License-Identifier: Apache-2.0
#pragma once

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

// What is followed.
struct TableSubscriberOptions {
  ConnectionOptions connection;      // its database is the table's
  std::string table = "PORT_TABLE";  // its name
  std::string separator = ":";       // a row's key is table + separator + name
  std::vector<std::string> names;    // these rows only; empty = all of the table
};

// Follows a table by Redis's keyspace events (https://redis.io/docs/latest/develop/use/keyspace-notifications), which
// SONiC's servers have on; where they are off nothing ever comes, and who must be sure reads from time to time. Has a
// connection of its own, while it is wanted.
class PORTSYNC_API TableSubscriber : public Pollable {
 public:
  // Told what happens. Called from process() only.
  class PORTSYNC_API Observer {
   public:
    virtual ~Observer();
    // Events come from here on, until the next on_subscribed(): read what has happened before.
    virtual void on_subscribed() = 0;
    // "hset", "del", "expired", … of that row. What it holds now is to be read.
    virtual void on_event(std::string_view name, std::string_view event) = 0;
  };

  // Subscribes, and again after every loss of the connection, until stop(). Errc::already_started while it does.
  [[nodiscard]] virtual std::error_code start(Observer& observer) = 0;
  // Closes the connection; start() may be called again.
  virtual void stop() = 0;

  // Text of the latest error, for people; "" = none yet. Never holds a password.
  [[nodiscard]] virtual const std::string& last_error() const noexcept = 0;
};

// Throws std::system_error (no descriptor) and std::invalid_argument.
[[nodiscard]] PORTSYNC_API std::unique_ptr<TableSubscriber> make_table_subscriber(TableSubscriberOptions options);

}  // namespace portsync::redis
