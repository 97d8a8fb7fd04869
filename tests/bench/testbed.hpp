// SPDX-License-Identifier: Apache-2.0
// The switch: ports in a network namespace of their own, the far ends in another, and a redis-server.
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
  // What every row must say now.
  [[nodiscard]] const std::vector<Row>& rows() const noexcept { return rows_; }

  // One change, done on return. An mtu that the port has not had for the last 60,000 rounds.
  void change_mtu(std::size_t port);
  void toggle_admin(std::size_t port);
  void toggle_carrier(std::size_t port);  // by the far end

  // All ports up, with carrier.
  void restore();
  // Waits until link changes are not held up any more: all namespaces share the kernel's lock of links, and the links
  // of an earlier run take seconds to go. False when it stays busy.
  [[nodiscard]] bool wait_quiet();

  // So many changes of the mtu, over all ports in turn; each port ends with another mtu than it had before.
  void flood(std::size_t changes);

  [[nodiscard]] std::string redis_path() const { return redis_server_.socket_path(); }
  [[nodiscard]] std::string file(const std::string& name) const { return redis_server_.file(name); }
  [[nodiscard]] Redis& redis() noexcept { return redis_; }
  void empty_redis() { redis_({"FLUSHALL"}); }
  // Killed, and empty again when it answers. Other clients of the bench have lost it.
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
