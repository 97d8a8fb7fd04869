// SPDX-License-Identifier: Apache-2.0
#include "sim/swss.hpp"

#include <utility>

namespace sim {

Swss::Swss(World& world, Kernel& kernel, RedisServer& server, Judge& judge, const Setup& setup)
    : world_(world), kernel_(kernel), server_(server), judge_(judge), setup_(setup) {}

std::vector<std::string> Swss::ports() const {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < setup_.ports; ++i) names.push_back("Ethernet" + std::to_string(i * 4));
  return names;
}

void Swss::start() {
  running_ = true;
  ++run_;
  seen_.clear();
  for (const auto& [ifindex, link] : kernel_.links()) seen_.insert(link.name);  // the process may adopt these
  for (const std::string& name : ports()) {
    server_.act(config_db, {"HSET", "PORT|" + name, "lanes", "1,2", "alias", name, "adv_speeds@", "100,200"});
  }
  server_.act(config_db, {"HSET", "DEVICE_METADATA|localhost", "hostname", "sim"});
  server_.act(config_db, {"SET", "CONFIG_DB_INITIALIZED", "1"});
}

void Swss::stop(bool leave_netdevs) {
  running_ = false;
  ++run_;
  if (!leave_netdevs) {
    for (const std::string& name : ports()) {
      if (const Link* link = kernel_.find(name)) kernel_.remove(link->ifindex);
    }
  }
  server_.flush(appl_db);
}

void Swss::on_key(int database, const std::string& key) {
  if (database != appl_db || !running_) return;
  if (key == "_PORT_TABLE:PortConfigDone" && server_.hash(appl_db, key) != nullptr) check_config_done();
  if (key == "_PORT_TABLE:PortInitDone" && server_.hash(appl_db, key) != nullptr) check_init_done();
  if (key != "PORT_TABLE_KEY_SET" || std::exchange(due_, true)) return;
  world_.after(world_.noise().between(50, 5000) * microsecond, [this, run = run_] {
    due_ = false;
    if (run == run_) consume();
  });
}

void Swss::consume() {
  const auto members = [this](const char* key) {
    const auto& keys = server_.keyspace(appl_db);
    const auto found = keys.find(key);
    const Set* set = found == keys.end() ? nullptr : std::get_if<Set>(&found->second);
    return set == nullptr ? Set() : *set;
  };
  const Set waiting = members("PORT_TABLE_KEY_SET");
  const Set deleted = members("PORT_TABLE_DEL_SET");
  server_.act(appl_db, {"DEL", "PORT_TABLE_KEY_SET", "PORT_TABLE_DEL_SET"});
  for (const std::string& name : waiting) take(name, deleted.count(name) != 0);
}

void Swss::take(const std::string& name, bool deleted) {
  const std::string key = "PORT_TABLE:" + name;
  if (deleted) server_.act(appl_db, {"DEL", key});
  const Hash* staged = server_.hash(appl_db, "_" + key);
  if (staged == nullptr) return;
  std::vector<std::string> words{"HSET", key};
  for (const auto& [field, value] : *staged) {
    if (field.find('@') != std::string::npos) judge_.fail("sonic", "the field " + field + " of " + name + " keeps its @");
    words.insert(words.end(), {field, value});
  }
  server_.act(appl_db, {"DEL", "_" + key});
  server_.act(appl_db, words);
  if (name != "PortConfigDone") return;
  Time when = 0;
  for (const std::string& port : ports()) {
    when += world_.noise().between(10, 20'000) * microsecond;
    world_.after(when, [this, port, run = run_] {
      if (run != run_) return;
      if (const Link* link = kernel_.find(port)) kernel_.remove(link->ifindex);
      kernel_.set_admin(kernel_.add({.name = port, .kind = ""}), true);
    });
  }
}

void Swss::make_netdevs() {
  if (server_.hash(appl_db, "PORT_TABLE:PortConfigDone") == nullptr) return;
  for (const std::string& port : ports()) {
    const Link* link = kernel_.find(port);
    if (link != nullptr && (link->kind == "team" || judge_.is_ignored(link->ifindex))) kernel_.remove(link->ifindex);
    if (kernel_.find(port) == nullptr) kernel_.set_admin(kernel_.add({.name = port, .kind = ""}), true);
  }
}

void Swss::check_config_done() {
  for (const std::string& port : ports()) {
    if (server_.hash(appl_db, "_PORT_TABLE:" + port) == nullptr && server_.hash(appl_db, "PORT_TABLE:" + port) == nullptr) {
      return judge_.fail("early", "PortConfigDone, and " + port + " is not loaded");
    }
  }
}

// A netdev counts as seen even if it has gone since. If another program has removed a row, only the next audit finds that.
void Swss::check_init_done() {
  for (const std::string& port : ports()) {
    const Link* link = kernel_.find(port);
    const auto wrong = judge_.wrong().find(port);
    const bool row_is_old = wrong != judge_.wrong().end() && world_.now() - wrong->second.since > 2 * second &&
                            !judge_.was_removed_by_others(port) && !judge_.may_be_unheard(wrong->second);
    const char* missing = seen_.count(port) == 0                                   ? "has no netdev"
                          : server_.hash(appl_db, "PORT_TABLE:" + port) == nullptr ? "is not in APPL_DB"
                          : link != nullptr && row_is_old && server_.hash(state_db, "PORT_TABLE|" + port) == nullptr ? "has no row"
                                                                                   : nullptr;
    if (missing != nullptr) return judge_.fail("early", "PortInitDone, and " + port + " " + missing);
  }
}

}  // namespace sim
