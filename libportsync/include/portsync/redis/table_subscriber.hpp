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

// The table, or the rows of it, to follow.
struct TableSubscriberOptions {
  ConnectionOptions connection;      // its database is the table's
  std::string table = "PORT_TABLE";  // its name
  std::string separator = ":";       // a row's key is table + separator + name
  std::vector<std::string> names;    // only these rows; empty = the whole table
};

// Follows a table through Redis's keyspace events (https://redis.io/docs/latest/develop/use/keyspace-notifications).
// SONiC's servers have them enabled. Where they are disabled, no event arrives, so a caller that needs certainty also
// reads from time to time. Has a connection of its own between start() and stop().
class PORTSYNC_API TableSubscriber : public Pollable {
 public:
  // Receives the events. Only process() calls it.
  class PORTSYNC_API Observer {
   public:
    virtual ~Observer();
    // Events arrive from here on, until the next on_subscribed(). Read the rows now, because earlier changes caused no
    // event.
    virtual void on_subscribed() = 0;
    // The row had this event: "hset", "del", "expired", …. Read the row to learn its present contents.
    virtual void on_event(std::string_view name, std::string_view event) = 0;
    // Redis refused the subscription: last_error() says why. It is tried again after a pause, and no event arrives
    // before on_subscribed(). Called once for each reason. Does nothing by default.
    virtual void on_refused(std::error_code error);
  };

  // Subscribes, and does so again after every loss of the connection, until stop(). Returns Errc::already_started
  // before stop().
  [[nodiscard]] virtual std::error_code start(Observer& observer) = 0;
  // Closes the connection; start() may be called again.
  virtual void stop() = 0;

  // Returns the text of the latest error, for people; "" = none yet. Never contains a password.
  [[nodiscard]] virtual const std::string& last_error() const noexcept = 0;
};

// Makes a subscriber. Throws std::system_error (no descriptor) and std::invalid_argument.
[[nodiscard]] PORTSYNC_API std::unique_ptr<TableSubscriber> make_table_subscriber(TableSubscriberOptions options);

}  // namespace portsync::redis
