// SPDX-License-Identifier: Apache-2.0
#include "sim/judge.hpp"

#include <linux/if.h>

#include <algorithm>
#include <array>
#include <portsync/link_state.hpp>
#include <utility>

namespace sim {
namespace {

constexpr int state_db = 6;
constexpr std::string_view table = "PORT_TABLE";
constexpr std::string_view prefix = "PORT_TABLE|";
constexpr std::array<std::string_view, 4> own_fields{"state", "netdev_oper_status", "admin_status", "mtu"};
constexpr const char* index_field = "@index";

std::string text_of(const Hash& fields) {
  std::string text;
  for (const auto& [name, value] : fields) text += name + "=" + value + " ";
  return text.empty() ? "nothing" : text;
}

}  // namespace

Judge::Judge(World& world, const Setup& setup, Kernel& kernel, RedisServer& server)
    : world_(world), setup_(setup), kernel_(kernel), server_(server) {}

void Judge::fail(const std::string& rule, const std::string& text) {
  if (!failure_) failure_ = Failure{rule, text, world_.now()};
}

void Judge::set_filter(const portsync::PortFilter& filter) {
  filter_ = filter;
  for (const auto& [ifindex, link] : kernel_.links()) {
    if (link.netns == 0) touched_.insert(link.name);
  }
  for (const auto& [key, value] : server_.keyspace(state_db)) {
    if (key.starts_with(prefix)) touched_.insert(key.substr(prefix.size()));
  }
  if (const Hash* index = server_.hash(state_db, table)) {
    for (const auto& [name, value] : *index) touched_.insert(name);
  }
}

void Judge::ignore(std::int32_t ifindex) {
  ignored_.insert(ifindex);
  if (const Link* link = kernel_.find(ifindex)) touched_.insert(link->name);
}

void Judge::on_process_started() {
  for (const std::int32_t ifindex : ignored_) {
    if (const Link* link = kernel_.find(ifindex)) touched_.insert(link->name);
  }
  ignored_.clear();
}

void Judge::on_link_gone(const Link& link) {
  ignored_.erase(link.ifindex);
  touched_.insert(link.name);
}

void Judge::on_key(int database, const std::string& key, std::uint64_t client) {
  constexpr std::string_view loaded = "PORT_TABLE:";
  if (database == 0 && key.starts_with(loaded)) touched_.insert(key.substr(loaded.size()));
  if (database != state_db) return;
  if (client == 0) edited_[key] = world_.now();
  if (key.starts_with(prefix)) touched_.insert(key.substr(prefix.size()));
  if (key == table) {
    for (const auto& [name, wrong] : wrong_) touched_.insert(name);
    if (client == 0) set_filter(filter_);
  }
  if (client == 0 || setup_.whole_key) return;
  const auto kept = foreign_.find(key);
  if (kept == foreign_.end()) return;
  const Hash* hash = server_.hash(state_db, key);
  for (const auto& [field, value] : kept->second) {
    const auto found = hash == nullptr ? Hash::const_iterator() : hash->find(field);
    if (hash == nullptr || found == hash->end() || found->second != value) {
      return fail("foreign", "the process changed " + field + " of " + key + ", which is another program's");
    }
  }
}

// An HSET that changes nothing wakes every subscriber of the switch needlessly. It is excused if another program, or
// the late bytes of an abandoned connection, wrote the same meanwhile, or if the process may not read the row.
void Judge::on_command(std::uint64_t client, int database, const std::vector<std::string_view>& words) {
  if (database != state_db) return;
  const bool is_of_rows = words[0] == "SCAN" || (words.size() > 1 && words[1].starts_with(table));
  if (!is_of_rows) return;  // of the loader
  newest_client_ = std::max(newest_client_, client);
  if (words[0] != "HSET") return;
  const std::string key(words[1]);
  if (client < newest_client_) {
    edited_[key] = world_.now();
    return;
  }
  ++writes_;
  if (key == table) {
    for (std::size_t i = 2; i + 1 < words.size(); i += 2) touched_.emplace(words[i]);
  }
  const Hash* hash = server_.hash(state_db, key);
  // In sonic mode a link that went down and up again, or has another master, is written whole, be it after a refusal.
  if (hash == nullptr || setup_.sonic || server_.is_unread(key)) return;
  // The index is read with all rows. Entries that change meanwhile are written by what was known before.
  if (key == table && server_.is_unsure(key)) return;
  for (std::size_t i = 2; i + 1 < words.size(); i += 2) {
    const auto found = hash->find(words[i]);
    if (found == hash->end() || found->second != words[i + 1]) return;
  }
  const auto edited = edited_.find(key);
  if (edited != edited_.end() && world_.now() - edited->second < 60 * second) return;
  fail("redundant", "HSET " + key + " changes nothing");
}

bool Judge::was_removed_by_others(const std::string& name) const {
  const auto edited = edited_.find(std::string(prefix) + name);
  return edited != edited_.end() && world_.now() - edited->second <= setup_.audit_interval + second;
}

bool Judge::may_be_unheard(const Wrong& wrong) const {
  const Time listed = std::max(kernel_.deaf_end(), kernel_.lock_free_at());
  return wrong.since <= kernel_.deaf_end() && world_.now() - listed <= setup_.audit_interval + second;
}

void Judge::add_foreign(const std::string& key, const std::string& field, const std::string& value) {
  foreign_[key][field] = value;
}

bool Judge::judged(const std::string& name) const {
  return filter_.matches_name(name);
}

std::optional<Hash> Judge::expected(const std::string& name) const {
  const Link* link = kernel_.find(name);
  if (link == nullptr || ignored_.count(link->ifindex) != 0) return std::nullopt;
  if (setup_.sonic && server_.hash(0, "PORT_TABLE:" + name) == nullptr) return std::nullopt;
  portsync::LinkState state;
  state.name = link->name;
  state.kind = link->kind;
  if (!filter_.matches(state)) return std::nullopt;
  const std::uint32_t flags = link->flags();
  const char* oper = (flags & IFF_RUNNING) != 0 ? "up" : "down";
  Hash row{{"state", "ok"},
           {"netdev_oper_status", oper},
           {"admin_status", (flags & IFF_UP) != 0 ? "up" : "down"},
           {"mtu", std::to_string(link->mtu)}};
  if (setup_.index) row[index_field] = oper;
  return row;
}

Hash Judge::actual(const std::string& name) const {
  Hash row;
  if (const Hash* hash = server_.hash(state_db, std::string(prefix) + name)) {
    for (const std::string_view field : own_fields) {
      const auto found = hash->find(field);
      if (found != hash->end()) row.emplace(field, found->second);
    }
  }
  if (!setup_.index) return row;
  const Hash* index = server_.hash(state_db, table);
  const auto found = index == nullptr ? Hash::const_iterator() : index->find(name);
  if (index != nullptr && found != index->end()) row.emplace(index_field, found->second);
  return row;
}

void Judge::compare() {
  for (const std::string& name : touched_) {
    if (!judged(name)) {
      wrong_.erase(name);
      continue;
    }
    std::optional<Hash> wanted = expected(name);
    if (actual(name) == wanted.value_or(Hash())) {
      wrong_.erase(name);
      continue;
    }
    const auto found = wrong_.find(name);
    if (found != wrong_.end() && found->second.wanted == wanted) continue;
    wrong_[name] = {world_.now(), std::move(wanted)};
  }
  touched_.clear();
}

const std::map<std::string, Judge::Wrong>& Judge::wrong() {
  compare();
  return wrong_;
}

std::string Judge::describe_wrong() {
  std::string text;
  for (const auto& [name, wrong] : this->wrong()) {
    text += name + " is " + text_of(actual(name)) + "and should be " + (wrong.wanted ? text_of(*wrong.wanted) : "nothing") +
            "; for " + std::to_string((world_.now() - wrong.since) / millisecond) + " ms. ";
  }
  return text;
}

bool Judge::has_port() const {
  return std::any_of(kernel_.links().begin(), kernel_.links().end(), [this](const auto& entry) {
    return entry.second.netns == 0 && expected(entry.second.name).has_value();
  });
}

void Judge::look(const std::optional<portsync::Health>& health, Time slack) {
  compare();
  if (!health) healthy_since_.reset();
  if (health) check_honesty(*health, slack);
}

// Only every n-th audit finds a row that should not exist. A process that starts, or reconnects to its server, is
// Healthy as soon as it knows the rows, and writes within the second.
void Judge::check_honesty(const portsync::Health& health, Time slack) {
  if (health.verdict != portsync::Verdict::healthy) {
    healthy_since_.reset();
    return;
  }
  if (!healthy_since_) healthy_since_ = world_.now();
  if (wrong_.empty() || world_.now() - *healthy_since_ <= second) return;
  for (const auto& [name, wrong] : wrong_) {
    const Time audits = wrong.wanted ? setup_.audit_interval : setup_.audit_interval * setup_.full_audit_every;
    if (world_.now() - wrong.since <= audits + second + slack) continue;
    return fail("honesty", "Healthy, though " + describe_wrong());
  }
}

}  // namespace sim
