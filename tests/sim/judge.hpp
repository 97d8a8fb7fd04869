// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <portsync/health_monitor.hpp>
#include <portsync/port_filter.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/kernel.hpp"
#include "sim/redis_server.hpp"
#include "sim/scenario.hpp"

namespace sim {

// A broken promise.
struct Failure {
  std::string rule;  // its kind; shrinking keeps it
  std::string text;
  Time when = 0;
};

// Watches kernel and server. Knows which rows should exist and what the process has written. Looks only at what has
// changed, so that it can look at every step.
class Judge {
 public:
  Judge(World& world, const Setup& setup, Kernel& kernel, RedisServer& server);

  void on_link(const Link& link) { touched_.insert(link.name); }
  void on_key(int database, const std::string& key, std::uint64_t client);
  // Called before a command of the process is executed.
  void on_command(std::uint64_t client, int database, const std::vector<std::string_view>& words);
  void set_filter(const portsync::PortFilter& filter);

  // Marks a link of an earlier swss: it has no row until it is replaced.
  void ignore(std::int32_t ifindex);
  [[nodiscard]] bool is_ignored(std::int32_t ifindex) const { return ignored_.count(ifindex) != 0; }
  void on_link_gone(const Link& link);
  // A process that starts takes all links as they are, or sets them down itself.
  void on_process_started();
  // Adds another program's field, which must stay.
  void add_foreign(const std::string& key, const std::string& field, const std::string& value);
  void forget_foreign() { foreign_.clear(); }
  void forget_foreign(const std::string& key) { foreign_.erase(key); }

  // Called between two events of the world. `health` is the process' own, while it runs. `slack` is how much longer a
  // trouble of the network may go unnoticed.
  void look(const std::optional<portsync::Health>& health, Time slack);
  // A row that is wrong, and since when. If it becomes wrong in another way, the time starts again.
  struct Wrong {
    Time since;
    std::optional<Hash> wanted;  // the row as it should be; if this changes, the time starts again
  };
  [[nodiscard]] const std::map<std::string, Wrong>& wrong();
  [[nodiscard]] std::string describe_wrong();
  [[nodiscard]] bool has_port() const;

  // Returns whether another program has changed this row since what may be the latest audit.
  [[nodiscard]] bool was_removed_by_others(const std::string& name) const;

  // Returns whether the notification of what makes this row wrong may be lost, and no audit has found that yet.
  [[nodiscard]] bool may_be_unheard(const Wrong& wrong) const;

  void fail(const std::string& rule, const std::string& text);
  [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }
  [[nodiscard]] std::uint64_t writes() const noexcept { return writes_; }

 private:
  [[nodiscard]] std::optional<Hash> expected(const std::string& name) const;
  [[nodiscard]] Hash actual(const std::string& name) const;
  [[nodiscard]] bool judged(const std::string& name) const;
  void compare();
  void check_honesty(const portsync::Health& health, Time slack);

  World& world_;
  const Setup& setup_;
  Kernel& kernel_;
  RedisServer& server_;
  portsync::PortFilter filter_;
  std::set<std::string> touched_;
  std::map<std::string, Wrong> wrong_;
  std::optional<Time> healthy_since_;
  std::set<std::int32_t> ignored_;
  std::map<std::string, Time> edited_;  // key -> when another last changed it
  std::map<std::string, Hash> foreign_;
  std::optional<Failure> failure_;
  std::uint64_t writes_ = 0;
  std::uint64_t newest_client_ = 0;  // that reads or writes rows
};

}  // namespace sim
