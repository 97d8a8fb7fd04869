// SPDX-License-Identifier: Apache-2.0
#include "sim/troubles.hpp"

#include <algorithm>
#include <array>

namespace sim {
namespace {

constexpr int state_db = 6;
constexpr const char* noperm_key = "NOPERM this user has no permissions to access one of the keys used as arguments";

std::string noperm(const std::string& command) {
  return "NOPERM this user has no permissions to run the '" + command + "' command";
}

}  // namespace

std::string Troubles::row(std::uint32_t number) const {
  return "PORT_TABLE|Ethernet" + std::to_string(number % setup_.ports * 4);
}

void Troubles::silent_until(Time when) {
  trouble_until_ = std::max(trouble_until_, when);
}

// A silent server is noticed after a timeout, and by a probe if no reply is outstanding.
Time Troubles::slack() const {
  const Time notice = setup_.timeout * 2 + setup_.retry_interval * 2 + 7 * second;
  return machine_.world.now() < trouble_until_ + notice ? notice : 0;
}

void Troubles::act(const Step& step) {
  World& world = machine_.world;
  const Time now = world.now();
  switch (step.act) {
    case Act::hold_lock:
      silent_until(now + static_cast<Time>(step.c) % 8000 * millisecond);
      return machine_.kernel.hold_lock(now + static_cast<Time>(step.c) % 8000 * millisecond);
    case Act::churn:
      silent_until(now + static_cast<Time>(step.c) % 3000 * millisecond);
      return machine_.kernel.churn_until(now + static_cast<Time>(step.c) % 3000 * millisecond);
    case Act::deaf:
      silent_until(now + static_cast<Time>(step.c) % 5000 * millisecond + 12 * second);
      return machine_.kernel.deaf_until(now + static_cast<Time>(step.c) % 5000 * millisecond);
    case Act::overrun: {
      // Many changes at once of links that are no ports. The socket's buffer overruns, and messages are lost.
      const std::uint32_t count = 10 + step.b % 200;
      for (std::uint32_t i = 0; i < count; ++i) {
        if (const Link* bridge = machine_.kernel.find("br0")) machine_.kernel.set_mtu(bridge->ifindex, 1000 + i % 7);
      }
      return;
    }
    case Act::stop_redis: {
      if (!server_.running()) return;
      server_.stop();
      const std::uint64_t stop = ++stops_;
      const bool with_data = step.b % 3 != 0;
      const Time away = static_cast<Time>(step.c) % 6000 * millisecond;
      silent_until(now + away);
      return world.after(away, [this, stop, with_data] {
        if (stop != stops_ || server_.running()) return;
        if (!with_data) judge_.forget_foreign();
        server_.start(with_data);
      });
    }
    case Act::restart_redis:
      if (!server_.running()) return;
      silent_until(now);
      server_.stop();
      if (step.b % 3 == 0) judge_.forget_foreign();
      return server_.start(step.b % 3 != 0);
    case Act::pause_redis:
      silent_until(now + static_cast<Time>(step.c) % 6000 * millisecond);
      return server_.pause(now + static_cast<Time>(step.c) % 6000 * millisecond);
    case Act::kill_clients:
      silent_until(now);
      return server_.kill_clients();
    case Act::hold_bytes: {
      const Time until = now + static_cast<Time>(step.c) % 5000 * millisecond;
      silent_until(until);
      for (const auto& connection : machine_.network.connections()) connection->hold(until);
      return;
    }
    case Act::refuse:
      return refuse(step);
    case Act::allow:
      silent_until(now);
      server_.refusals = {};
      return;
    case Act::edit_row:
      return edit_row(step);
    case Act::delete_row:
      judge_.forget_foreign(row(step.a));
      server_.act(state_db, {"DEL", step.c % 4 == 0 ? "PORT_TABLE" : row(step.a)});
      return;
    case Act::foreign_field:
      if (server_.act(state_db, {"HSET", row(step.a), "speed", std::to_string(step.b)})[0] == '-') return;
      return judge_.add_foreign(row(step.a), "speed", std::to_string(step.b));
    case Act::foreign_row: {
      const std::string key = "PORT_TABLE|" + std::string(step.a % 2 == 0 ? "Ethernet0.10" : "PortChannel1");
      server_.act(state_db, {"HSET", key, "state", "ok"});
      return judge_.add_foreign(key, "state", "ok");
    }
    case Act::flush:
      judge_.forget_foreign();
      return server_.flush(state_db);
    case Act::save:
      saved_ = server_.save();
      return;
    case Act::rollback:
      if (!saved_ || !server_.running()) return;
      judge_.forget_foreign();
      return server_.restore(*saved_);
    case Act::idle_timeout:
      silent_until(now);
      return server_.set_idle_timeout(step.c % 2 == 0 ? 0 : (1 + static_cast<Time>(step.b) % 8) * second);
    default:
      return;
  }
}

void Troubles::edit_row(const Step& step) {
  constexpr std::array<const char*, 4> fields{"netdev_oper_status", "admin_status", "mtu", "state"};
  constexpr std::array<const char*, 4> values{"up", "down", "9100", "ok"};
  if (step.c % 3 == 0) {
    server_.act(state_db, {"HDEL", row(step.a), fields[step.b % 4]});
  } else {
    server_.act(state_db, {"HSET", row(step.a), fields[step.b % 4], values[step.c % 4]});
  }
}

void Troubles::refuse(const Step& step) {
  constexpr std::array<const char*, 5> commands{"hmget", "hset", "hdel", "multi", "scan"};
  const std::string command = commands[step.b % commands.size()];
  RedisRefusals& refusals = server_.refusals;
  switch (step.a % 9) {
    case 0:
      refusals.commands[command] = noperm(command);
      return;
    case 1:
      refusals.commands[command] = "ERR unknown command '" + command + "', with args beginning with: ";
      return;
    case 2:
      refusals.keys["PORT_TABLE"] = noperm_key;
      return;
    case 3:
      refusals.keys[row(step.b)] = noperm_key;
      return;
    case 4:
      refusals.writes = "OOM command not allowed when used memory > 'maxmemory'.";
      return;
    case 5:
      refusals.writes = "READONLY You can't write against a read only replica.";
      return;
    case 6:
      refusals.writes = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.";
      return;
    case 7:
      refusals.everything = "LOADING Redis is loading the dataset in memory";
      return;
    default:
      // The key has another type until another program removes it.
      server_.act(state_db, {"DEL", step.c % 2 == 0 ? "PORT_TABLE" : row(step.b)});
      judge_.forget_foreign(row(step.b));
      server_.act(state_db, {"SADD", step.c % 2 == 0 ? "PORT_TABLE" : row(step.b), "x"});
  }
}

void Troubles::end() {
  ++stops_;
  if (!server_.running()) server_.start(true);
  server_.refusals = {};
  server_.set_idle_timeout(0);
  std::vector<std::string> others;
  for (const auto& [key, value] : server_.keyspace(state_db)) {
    if (!std::holds_alternative<Hash>(value)) others.push_back(key);
  }
  for (const std::string& key : others) server_.act(state_db, {"DEL", key});
  trouble_until_ = std::max(trouble_until_, machine_.world.now());
}

}  // namespace sim
