// SPDX-License-Identifier: Apache-2.0
// The switch: ports in a network namespace, the far ends in another one, and a redis-server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "redis.hpp"
#include "route.hpp"
#include "support/cpp/netns.hpp"
#include "support/cpp/redis_server.hpp"

namespace portsync::bench {

class Testbed {
 public:
  Testbed();

  // Adds ports, up and with carrier, until there are so many.
  void grow(std::size_t ports);
  [[nodiscard]] std::size_t ports() const noexcept { return rows_.size(); }
  [[nodiscard]] std::int32_t ifindex(std::size_t port) const;
  // Returns the contents that every row must have now.
  [[nodiscard]] const std::vector<Row>& rows() const noexcept { return rows_; }

  // Makes one change, which is done on return, to an mtu that the port has not had for the last 60,000 rounds.
  void change_mtu(std::size_t port);
  void toggle_admin(std::size_t port);
  void toggle_carrier(std::size_t port);  // by the far end

  // Sets all ports up, with carrier.
  void restore();
  // Waits until link changes are no longer held up: all namespaces share the kernel's rtnl lock, and the removal of an
  // earlier run's links takes seconds. Returns false if the kernel stays busy.
  [[nodiscard]] bool wait_quiet();

  // Changes the mtu so many times, over all ports in turn. Each port ends with another mtu than before.
  void flood(std::size_t changes);

  [[nodiscard]] std::string redis_path() const { return redis_server_.socket_path(); }
  [[nodiscard]] std::string file(const std::string& name) const { return redis_server_.file(name); }
  [[nodiscard]] Redis& redis() noexcept { return redis_; }
  void empty_redis() { redis_({"FLUSHALL"}); }
  // Kills Redis and starts it empty; it answers on return. Other clients of the bench have lost their connections.
  void restart_redis();

 private:
  void next_mtu(std::size_t port);
  void wait_carriers() const;

  test::Netns far_;
  LinkChanger far_links_;
  test::Netns switch_;
  LinkChanger links_;
  test::RedisServer redis_server_;
  Redis redis_;
  std::vector<Row> rows_;
  std::vector<std::uint32_t> mtus_;
  std::vector<bool> carriers_;
  std::size_t next_port_ = 0;
};

}  // namespace portsync::bench
