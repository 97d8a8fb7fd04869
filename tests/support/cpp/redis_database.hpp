// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <portsync/redis/database.hpp>
#include <system_error>
#include <vector>

#include "support/cpp/redis_server.hpp"
#include "support/cpp/wait.hpp"

namespace portsync::test {

// A redis-server, and a Database of it. Stores the calls of the observer. The hooks run last, and may throw.
struct DatabaseFixture : redis::Database::Observer {
  DatabaseFixture() {
    options.socket_path = server.socket_path();
    options.retry_interval = std::chrono::milliseconds(20);
    options.timeout = std::chrono::seconds(2);
  }
  void make() { database = redis::make_database(options); }
  void start() {
    if (!database) make();
    BOOST_REQUIRE(!database->start(*this));
  }
  void open() {
    start();
    until([this] { return opens == 1; });
    BOOST_REQUIRE(database->open());
  }
  template <typename Condition>
  void until(Condition condition) {
    process_until(*database, condition);
  }

  void on_open() override {
    ++opens;
    if (when_open) when_open();
  }
  void on_closed(std::error_code error) override {
    closed.push_back(error);
    if (when_closed) when_closed();
  }

  RedisServer server;
  redis::ConnectionOptions options;
  std::unique_ptr<redis::Database> database;
  int opens = 0;
  std::vector<std::error_code> closed;
  std::function<void()> when_open, when_closed;
};

}  // namespace portsync::test
