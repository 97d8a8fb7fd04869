// SPDX-License-Identifier: Apache-2.0
// The server: its connections, its faults, and the commands about connections. redis_commands.cpp has what it stores.
#include "sim/redis_server.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "sim/resp.hpp"

namespace sim {

RedisServer::RedisServer(World& world, std::string name) : world_(world), name_(std::move(name)) {
  start(true);
  runs_ = 1;
}

const Hash* RedisServer::hash(int database, std::string_view key) const {
  const Keyspace& keys = keyspace(database);
  const auto found = keys.find(key);
  return found == keys.end() ? nullptr : std::get_if<Hash>(&found->second);
}

std::string RedisServer::act(int database, const std::vector<std::string>& words) {
  const Words views(words.begin(), words.end());
  actor_.database = database;
  actor_.out.clear();
  execute(actor_, views);
  return std::exchange(actor_.out, {});
}

// ---- what happens to it

void RedisServer::stop() {
  running_ = false;
  while (!clients_.empty()) end_client(clients_.begin()->first, true);
}

void RedisServer::start(bool with_data) {
  ++runs_;
  run_id_ = "run" + std::to_string(runs_) + "-" + name_;
  run_id_.resize(40, '0');
  next_client_ = 3;
  running_ = true;
  if (!with_data) {
    for (int database = 0; database < 16; ++database) flush(database);
  }
}

void RedisServer::kill_clients() {
  while (!clients_.empty()) end_client(clients_.begin()->first, true);
}

void RedisServer::flush(int database) {
  const Keyspace gone = std::exchange(data_[static_cast<std::size_t>(database)], {});
  if (!observer_) return;
  for (const auto& [key, value] : gone) observer_(database, key, 0);
}

void RedisServer::restore(Snapshot snapshot) {
  std::swap(data_, snapshot);
  if (!observer_) return;
  for (std::size_t database = 0; database < data_.size(); ++database) {
    for (const auto& [key, value] : data_[database]) observer_(static_cast<int>(database), key, 0);
    for (const auto& [key, value] : snapshot[database]) observer_(static_cast<int>(database), key, 0);
  }
}

void RedisServer::set_idle_timeout(Time timeout) {
  idle_timeout_ = timeout;
  if (timeout != 0 && !looks_for_idle_) end_idle();
}

void RedisServer::end_idle() {
  looks_for_idle_ = idle_timeout_ != 0;
  if (idle_timeout_ == 0) return;
  std::vector<std::uint64_t> idle;
  for (const auto& [id, client] : clients_) {
    const bool subscribed = !client.channels.empty() || !client.patterns.empty();
    if (!subscribed && client.last_seen + idle_timeout_ <= world_.now()) idle.push_back(id);
  }
  for (const std::uint64_t id : idle) end_client(id, true);
  world_.after(second, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) end_idle();
  });
}

// ---- connections

bool RedisServer::accept(const std::shared_ptr<Connection>& connection) {
  if (!running_) return false;
  if (clients_.size() >= max_clients) {
    connection->reply("-ERR max number of clients reached\r\n");
    connection->end(true);
    return true;
  }
  Client& client = clients_[next_client_];
  client.id = connection->id = next_client_++;
  client.connection = connection;
  client.last_seen = world_.now();
  return true;
}

void RedisServer::on_end(const std::shared_ptr<Connection>& connection) {
  const auto found = clients_.find(connection->id);
  if (found != clients_.end() && found->second.connection == connection) clients_.erase(found);
}

void RedisServer::end_client(std::uint64_t id, bool orderly) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  found->second.connection->end(orderly);
  clients_.erase(found);
}

void RedisServer::on_bytes(const std::shared_ptr<Connection>& connection, std::string_view bytes) {
  const auto found = clients_.find(connection->id);
  if (found == clients_.end() || found->second.connection != connection) return;
  Client& client = found->second;
  client.pending += bytes;
  client.last_seen = world_.now();
  if (world_.now() >= paused_until_) return run(client);
  if (std::exchange(resuming_, true)) return;
  // When a paused server continues, it serves the clients in their order.
  world_.at(paused_until_, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    resuming_ = false;
    std::vector<std::uint64_t> ids;
    for (const auto& [id, waiting] : clients_) ids.push_back(id);
    for (const std::uint64_t id : ids) {
      const auto waiting = clients_.find(id);
      if (waiting != clients_.end()) run(waiting->second);
    }
  });
}

void RedisServer::run(Client& client) {
  if (world_.now() < paused_until_) return;
  const std::uint64_t id = client.id;
  Words words;
  std::size_t size = 0;
  while (take_command(client, words, size)) {
    ++commands_;
    dispatch(client, words);
    if (client.ended) break;
    client.pending.erase(0, size);
  }
  send(client);
  if (client.ended) end_client(id, true);
}

void RedisServer::send(Client& client) {
  if (!client.out.empty() && client.connection) client.connection->reply(client.out);
  client.out.clear();
}

// Reads a command like "*2\r\n$4\r\nPING\r\n…". Returns false if it is not complete.
bool RedisServer::take_command(Client& client, Words& words, std::size_t& size) const {
  const std::string_view bytes = client.pending;
  std::size_t at = 0;
  const auto take_number = [&](char type, std::size_t& number) {
    const std::size_t end = bytes.find('\n', at);
    if (end == std::string_view::npos || bytes[at] != type) return false;
    std::from_chars(bytes.data() + at + 1, bytes.data() + end, number);
    at = end + 1;
    return true;
  };
  words.clear();
  std::size_t count = 0;
  if (bytes.empty() || !take_number('*', count)) return false;
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t length = 0;
    if (at >= bytes.size() || !take_number('$', length) || bytes.size() < at + length + 2) return false;
    words.push_back(bytes.substr(at, length));
    at += length + 2;
  }
  size = at;
  return !words.empty();
}

// ---- before a command is executed

const std::string* RedisServer::refusal(const Client& client, const Words& words) const {
  if (&client == &actor_) return nullptr;
  const std::string command = resp::lower(words[0]);
  const auto of_command = refusals.commands.find(command);
  if (of_command != refusals.commands.end()) return &of_command->second;
  const resp::Command* known = resp::find_command(command);
  if (known == nullptr) return nullptr;
  if (!refusals.everything.empty() && !known->always) return &refusals.everything;
  if (!refusals.writes.empty() && known->writes) return &refusals.writes;
  if (refusals.keys.empty() || known->first_key == 0) return nullptr;
  const std::size_t last = known->all_keys ? words.size() - 1 : known->first_key;
  for (std::size_t i = known->first_key; i <= last && i < words.size(); ++i) {
    const auto of_key = refusals.keys.find(words[i]);
    if (of_key != refusals.keys.end()) return &of_key->second;
  }
  return nullptr;
}

void RedisServer::dispatch(Client& client, const Words& words) {
  const std::string command = resp::lower(words[0]);
  const resp::Command* known = resp::find_command(command);
  const std::string* refused = refusal(client, words);
  std::string complaint;
  if (refused != nullptr) {
    complaint = *refused;
  } else if (known == nullptr) {
    complaint = resp::unknown_command(words);
  } else if (known->arity > 0 ? words.size() != static_cast<std::size_t>(known->arity)
                              : words.size() < static_cast<std::size_t>(-known->arity)) {
    complaint = "ERR wrong number of arguments for '" + resp::full_name(command, words) + "' command";
  }
  if (!complaint.empty()) {
    if (known != nullptr && known->first_key != 0 && words.size() > known->first_key) {
      const std::string key(words[known->first_key]);
      unsure_[key] = never;
      if (!known->writes) unread_.insert(key);
    }
    if (client.in_transaction && command != "exec" && command != "discard") client.aborted = true;
    return resp::error(client.out, complaint);
  }
  const bool subscribed = !client.channels.empty() || !client.patterns.empty();
  if (subscribed && command != "subscribe" && command != "psubscribe" && command != "ping") {
    return resp::error(client.out, "ERR Can't execute '" + command +
                                       "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
                                       "this context");
  }
  if (client.in_transaction && command != "exec" && command != "discard" && command != "multi") {
    client.queued.emplace_back(words.begin(), words.end());
    return resp::status(client.out, "QUEUED");
  }
  if (!known->writes && known->first_key != 0 && &client != &actor_) note_read(std::string(words[known->first_key]));
  execute(client, words);
}

void RedisServer::note_read(const std::string& key) {
  unread_.erase(key);
  const auto unsure = unsure_.find(key);
  if (unsure != unsure_.end() && unsure->second == never) unsure->second = world_.now() + second;
}

bool RedisServer::is_unsure(const std::string& key) const {
  const auto unsure = unsure_.find(key);
  return unsure != unsure_.end() && world_.now() < unsure->second;
}

void RedisServer::exec(Client& client) {
  if (!std::exchange(client.in_transaction, false)) return resp::error(client.out, "ERR EXEC without MULTI");
  const auto queued = std::exchange(client.queued, {});
  if (std::exchange(client.aborted, false)) {
    return resp::error(client.out, "EXECABORT Transaction discarded because of previous errors.");
  }
  resp::array(client.out, queued.size());
  for (const auto& words : queued) execute(client, Words(words.begin(), words.end()));
}

// ---- commands about the connection

bool RedisServer::execute_connection_command(Client& client, std::string_view command, const Words& words) {
  if (command == "ping") {
    const bool subscribed = !client.channels.empty() || !client.patterns.empty();
    if (subscribed) {
      resp::array(client.out, 2);
      resp::bulk(client.out, "pong");
      resp::bulk(client.out, words.size() > 1 ? words[1] : "");
    } else if (words.size() > 1) {
      resp::bulk(client.out, words[1]);
    } else {
      resp::status(client.out, "PONG");
    }
  } else if (command == "auth") {
    resp::status(client.out, "OK");
  } else if (command == "select") {
    int number = -1;
    std::from_chars(words[1].data(), words[1].data() + words[1].size(), number);
    if (number < 0 || number > 15) {
      resp::error(client.out, "ERR DB index is out of range");
    } else {
      client.database = number;
      resp::status(client.out, "OK");
    }
  } else if (command == "client") {
    client_command(client, words);
  } else if (command == "info") {
    resp::bulk(client.out, "# Server\r\nredis_version:7.0.15\r\nrun_id:" + run_id_ + "\r\n");
  } else if (command == "multi") {
    if (std::exchange(client.in_transaction, true)) {
      resp::error(client.out, "ERR MULTI calls can not be nested");
    } else {
      resp::status(client.out, "OK");
    }
  } else if (command == "discard") {
    if (!std::exchange(client.in_transaction, false)) {
      resp::error(client.out, "ERR DISCARD without MULTI");
    } else {
      client.queued.clear();
      client.aborted = false;
      resp::status(client.out, "OK");
    }
  } else if (command == "exec") {
    exec(client);
  } else if (command == "subscribe" || command == "psubscribe") {
    subscribe(client, words, command == "psubscribe");
  } else {
    return false;
  }
  return true;
}

void RedisServer::client_command(Client& client, const Words& words) {
  const std::string what = resp::lower(words.size() > 1 ? words[1] : "");
  if (what == "setname" && words.size() == 3) {
    client.name = words[2];
    resp::status(client.out, "OK");
  } else if (what == "id") {
    resp::integer(client.out, static_cast<std::int64_t>(client.id));
  } else if (what == "list") {
    std::string list;
    for (const auto& [id, other] : clients_) {
      list += "id=" + std::to_string(id) + " addr=127.0.0.1:1 name=" + other.name + " db=" +
              std::to_string(other.database) + "\n";
    }
    resp::bulk(client.out, list);
  } else if (what == "kill" && words.size() == 4) {
    std::uint64_t id = 0;
    std::from_chars(words[3].data(), words[3].data() + words[3].size(), id);
    const bool found = clients_.count(id) != 0;
    if (id == client.id) {
      client.ended = true;
    } else {
      end_client(id, true);
    }
    resp::integer(client.out, found ? 1 : 0);
  } else {
    resp::error(client.out, "ERR unknown subcommand or wrong number of arguments for '" + what + "'. Try CLIENT HELP.");
  }
}

void RedisServer::subscribe(Client& client, const Words& words, bool pattern) {
  for (std::size_t i = 1; i < words.size(); ++i) {
    (pattern ? client.patterns : client.channels).emplace(words[i]);
    resp::array(client.out, 3);
    resp::bulk(client.out, pattern ? "psubscribe" : "subscribe");
    resp::bulk(client.out, words[i]);
    resp::integer(client.out, static_cast<std::int64_t>(client.channels.size() + client.patterns.size()));
  }
}

std::int64_t RedisServer::publish(std::string_view channel, std::string_view message) {
  std::int64_t receivers = 0;
  for (auto& [id, client] : clients_) {
    if (client.channels.empty() && client.patterns.empty()) continue;
    const std::size_t before = client.out.size();
    if (client.channels.count(std::string(channel)) != 0) {
      resp::array(client.out, 3);
      resp::bulk(client.out, "message");
      resp::bulk(client.out, channel);
      resp::bulk(client.out, message);
      ++receivers;
    }
    for (const std::string& pattern : client.patterns) {
      if (!resp::matches(pattern, channel)) continue;
      resp::array(client.out, 4);
      resp::bulk(client.out, "pmessage");
      resp::bulk(client.out, pattern);
      resp::bulk(client.out, channel);
      resp::bulk(client.out, message);
      ++receivers;
    }
    if (client.out.size() != before) send(client);
  }
  return receivers;
}

void RedisServer::changed(Client& client, std::string_view key, const char* event) {
  publish("__keyspace@" + std::to_string(client.database) + "__:" + std::string(key), event);
  if (observer_) observer_(client.database, std::string(key), client.id);
}

}  // namespace sim
