// SPDX-License-Identifier: Apache-2.0
// What the simulated redis-server stores, and the commands that use it.
#include <algorithm>
#include <charconv>
#include <utility>

#include "sim/redis_server.hpp"
#include "sim/resp.hpp"

namespace sim {
namespace {

constexpr const char* wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value";

std::size_t to_number(std::string_view text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

// Returns nullptr if there is no such key, or if it has another type.
template <typename T>
T* RedisServer::find(Client& client, std::string_view key, bool create, bool& of_wrong_type) {
  Keyspace& keys = data(client);
  auto found = keys.find(key);
  of_wrong_type = false;
  if (found == keys.end()) {
    if (!create) return nullptr;
    found = keys.emplace(std::string(key), T{}).first;
  }
  T* value = std::get_if<T>(&found->second);
  of_wrong_type = value == nullptr;
  return value;
}

void RedisServer::execute(Client& client, const Words& words) {
  if (spy_ && &client != &actor_) spy_(client.id, client.database, words);
  const std::string command = resp::lower(words[0]);
  if (execute_connection_command(client, command, words)) return;
  if (command == "scan") return scan(client, words);
  if (command == "eval") return eval(client, words);
  if (command[0] == 'h') return hash_command(client, command, words);
  if (command[0] == 's' && command != "set") return set_command(client, command, words);
  Keyspace& keys = data(client);
  if (command == "publish") {
    if (refusals.publish && &client != &actor_) {
      return resp::error(client.out, "NOPERM this user has no permissions to access one of the channels used as arguments");
    }
    return resp::integer(client.out, publish(words[1], words[2]));
  }
  if (command == "del" || command == "unlink") {
    std::int64_t gone = 0;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const auto found = keys.find(words[i]);
      if (found == keys.end()) continue;
      keys.erase(found);
      ++gone;
      changed(client, words[i], "del");
    }
    return resp::integer(client.out, gone);
  }
  if (command == "exists") {
    const auto count = std::count_if(words.begin() + 1, words.end(),
                                     [&keys](std::string_view key) { return keys.find(key) != keys.end(); });
    return resp::integer(client.out, count);
  }
  if (command == "get") {
    bool other_type = false;
    const auto* value = find<std::string>(client, words[1], false, other_type);
    if (other_type) return resp::error(client.out, wrong_type);
    return value == nullptr ? resp::nil(client.out) : resp::bulk(client.out, *value);
  }
  if (command == "set") {
    keys.insert_or_assign(std::string(words[1]), std::string(words[2]));
    changed(client, words[1], "set");
    return resp::status(client.out, "OK");
  }
  if (command == "type") {
    const auto found = keys.find(words[1]);
    constexpr std::array<const char*, 3> names{"string", "hash", "set"};
    return resp::status(client.out, found == keys.end() ? "none" : names[found->second.index()]);
  }
  if (command == "flushdb") {
    flush(client.database);
    return resp::status(client.out, "OK");
  }
  resp::error(client.out, resp::unknown_command(words));
}

void RedisServer::hash_command(Client& client, std::string_view command, const Words& words) {
  bool other_type = false;
  const std::string_view key = words[1];
  Hash* hash = find<Hash>(client, key, command == "hset", other_type);
  if (other_type) return resp::error(client.out, wrong_type);
  if (command == "hset") {
    if (words.size() % 2 != 0) {
      if (hash->empty()) data(client).erase(std::string(key));
      return resp::error(client.out, "ERR wrong number of arguments for 'hset' command");
    }
    std::int64_t added = 0;
    for (std::size_t i = 2; i < words.size(); i += 2) {
      const auto found = hash->find(words[i]);
      if (found == hash->end()) {
        hash->emplace(words[i], words[i + 1]);
        ++added;
      } else {
        found->second = words[i + 1];
      }
    }
    changed(client, key, "hset");
    return resp::integer(client.out, added);
  }
  if (command == "hget") {
    const auto found = hash == nullptr ? Hash::const_iterator() : std::as_const(*hash).find(words[2]);
    return hash == nullptr || found == hash->end() ? resp::nil(client.out) : resp::bulk(client.out, found->second);
  }
  if (command == "hmget") {
    resp::array(client.out, words.size() - 2);
    for (std::size_t i = 2; i < words.size(); ++i) {
      const auto found = hash == nullptr ? Hash::iterator() : hash->find(words[i]);
      hash == nullptr || found == hash->end() ? resp::nil(client.out) : resp::bulk(client.out, found->second);
    }
    return;
  }
  if (command == "hgetall") {
    resp::array(client.out, hash == nullptr ? 0 : hash->size() * 2);
    if (hash == nullptr) return;
    for (const auto& [field, value] : *hash) {
      resp::bulk(client.out, field);
      resp::bulk(client.out, value);
    }
    return;
  }
  if (command == "hlen") return resp::integer(client.out, hash == nullptr ? 0 : static_cast<std::int64_t>(hash->size()));
  // hdel
  std::int64_t gone = 0;
  if (hash != nullptr) {
    for (std::size_t i = 2; i < words.size(); ++i) {
      const auto found = hash->find(words[i]);
      if (found == hash->end()) continue;
      hash->erase(found);
      ++gone;
    }
  }
  if (gone > 0) {
    const bool empty = hash->empty();
    if (empty) data(client).erase(std::string(key));
    changed(client, key, "hdel");
    if (empty) changed(client, key, "del");
  }
  resp::integer(client.out, gone);
}

void RedisServer::set_command(Client& client, std::string_view command, const Words& words) {
  bool other_type = false;
  const std::string_view key = words[1];
  Set* set = find<Set>(client, key, command == "sadd", other_type);
  if (other_type) return resp::error(client.out, wrong_type);
  if (command == "sadd") {
    std::int64_t added = 0;
    for (std::size_t i = 2; i < words.size(); ++i) added += set->emplace(words[i]).second ? 1 : 0;
    if (added > 0) changed(client, key, "sadd");
    return resp::integer(client.out, added);
  }
  if (command == "scard") return resp::integer(client.out, set == nullptr ? 0 : static_cast<std::int64_t>(set->size()));
  if (command == "sismember") return resp::integer(client.out, set != nullptr && set->find(words[2]) != set->end());
  if (command == "smembers") {
    resp::array(client.out, set == nullptr ? 0 : set->size());
    if (set == nullptr) return;
    for (const std::string& member : *set) resp::bulk(client.out, member);
    return;
  }
  // spop, srem
  std::int64_t gone = 0;
  std::string popped;
  if (set != nullptr && command == "spop") {
    popped = *set->begin();
    set->erase(set->begin());
    gone = 1;
  } else if (set != nullptr) {
    for (std::size_t i = 2; i < words.size(); ++i) gone += static_cast<std::int64_t>(set->erase(std::string(words[i])));
  }
  if (gone > 0) {
    if (set->empty()) data(client).erase(std::string(key));
    changed(client, key, command == "spop" ? "spop" : "srem");
  }
  if (command == "srem") return resp::integer(client.out, gone);
  gone == 0 ? resp::nil(client.out) : resp::bulk(client.out, popped);
}

// A cursor is a number that stands for the key to continue from. As Redis promises, SCAN finds every key that exists
// all the while; some keys come twice, which Redis does not rule out.
void RedisServer::scan(Client& client, const Words& words) {
  std::string_view pattern = "*";
  std::size_t count = 10;
  for (std::size_t i = 2; i + 1 < words.size(); i += 2) {
    const std::string option = resp::lower(words[i]);
    if (option == "match") pattern = words[i + 1];
    if (option == "count") count = to_number(words[i + 1]);
  }
  const Keyspace& keys = data(client);
  auto it = keys.begin();
  if (const std::size_t cursor = to_number(words[1]); cursor != 0) {
    const auto found = cursors_.find(cursor);
    it = found == cursors_.end() ? keys.end() : keys.lower_bound(found->second);
    if (it != keys.begin() && it != keys.end() && world_.noise().percent(10)) --it;
    if (found != cursors_.end()) cursors_.erase(found);
  }
  // Returns few keys at a time, whatever COUNT is, because otherwise there would be no second call.
  count = std::min<std::size_t>(count, 7 + world_.noise().below(60));
  std::vector<std::string_view> found;
  for (; it != keys.end() && count > 0; ++it, --count) {
    if (resp::matches(pattern, it->first)) found.push_back(it->first);
  }
  std::string next = "0";
  if (it != keys.end()) {
    cursors_[next_cursor_] = it->first;
    next = std::to_string(next_cursor_++);
  }
  resp::array(client.out, 2);
  resp::bulk(client.out, next);
  resp::array(client.out, found.size());
  for (const std::string_view key : found) resp::bulk(client.out, key);
}

// ---- our script: what libportsync/src/redis/tables.cpp does. Any other script is unknown.
//
// KEYS: the waiting keys, the keys to delete, each row's staged hash. ARGV: the channel, and for each row its name,
// the number of words that follow, and these words.
void RedisServer::eval(Client& client, const Words& words) {
  if (words[1].find("call('PUBLISH', ARGV[1], 'G') then call('SADD'") == std::string_view::npos) {
    return resp::error(client.out, "ERR the simulated server does not know this script");
  }
  const std::size_t count = to_number(words[2]);
  const Words keys(words.begin() + 3, words.begin() + 3 + static_cast<std::ptrdiff_t>(count));
  const Words arguments(words.begin() + 3 + static_cast<std::ptrdiff_t>(count), words.end());
  std::string refusal;
  std::size_t at = 1;
  std::string& out = client.out;
  const std::string before = std::exchange(out, {});
  for (std::size_t key = 2; key < keys.size(); ++key) (void)stage_row(client, keys, key, arguments, at, refusal);
  out = before;
  refusal.empty() ? resp::status(out, "OK") : resp::error(out, refusal);
}

bool RedisServer::stage_row(Client& client, const Words& keys, std::size_t key, const Words& arguments, std::size_t& at,
                            std::string& refused) {
  const auto call = [&](const Words& words) {
    client.out.clear();
    if (const std::string* text = refusal(client, words)) {
      resp::error(client.out, *text);
    } else {
      execute(client, words);
    }
    if (client.out.empty() || client.out[0] != '-') return true;
    if (refused.empty()) {
      refused = client.out.substr(1, client.out.size() - 3);
      refused.append(" (").append(words[0]).append(" ").append(words[1]).append(")");
    }
    return false;
  };
  const std::string_view name = arguments[at];
  const std::size_t size = to_number(arguments[at + 1]);
  const std::size_t first = at + 2;
  at = first + size;
  bool done = true;
  if (size == 0) done = call({"SADD", keys[1], name}) && call({"DEL", keys[key]});
  for (std::size_t i = first; i < at; i += 1000) {
    Words words{"HSET", keys[key]};
    const std::size_t end = std::min(at, i + 1000);
    words.insert(words.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i),
                 arguments.begin() + static_cast<std::ptrdiff_t>(end));
    done = done && call(words);
  }
  if (!done || !call({"SISMEMBER", keys[0], name})) return false;
  if (client.out != ":0\r\n") return true;
  return call({"PUBLISH", arguments[0], "G"}) && call({"SADD", keys[0], name});
}

}  // namespace sim
