// SPDX-License-Identifier: Apache-2.0
#include "redis.hpp"

#include <poll.h>

#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <unordered_set>

namespace portsync::bench {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr std::string_view table = "PORT_TABLE|";

std::uint64_t own_commands = 0;

using ReplyPtr = std::unique_ptr<redisReply, decltype(&::freeReplyObject)>;

std::string text_of(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_ERROR:
      throw std::runtime_error("redis: " + std::string(reply.str, static_cast<std::size_t>(reply.len)));
    case REDIS_REPLY_INTEGER:
      return std::to_string(reply.integer);
    case REDIS_REPLY_NIL:
      return "(nil)";
    case REDIS_REPLY_ARRAY: {
      std::string text;
      for (std::size_t i = 0; i < reply.elements; ++i) text += (i == 0 ? "" : " ") + text_of(*reply.element[i]);
      return text;
    }
    default:
      return {reply.str, static_cast<std::size_t>(reply.len)};
  }
}

const char* up_or_down(bool up) {
  return up ? "up" : "down";
}

}  // namespace

std::string key_of(std::string_view port) {
  return std::string(table).append(port);
}

Redis::Redis(const std::string& socket_path, int database)
    : context_(::redisConnectUnixWithTimeout(socket_path.c_str(), {5, 0}), &::redisFree) {
  if (!context_ || context_->err != 0) throw std::runtime_error("cannot connect to " + socket_path);
  ::redisSetTimeout(context_.get(), {10, 0});
  (*this)({"SELECT", std::to_string(database)});
}

void Redis::append(const std::vector<std::string_view>& words) {
  std::vector<const char*> pointers;
  std::vector<std::size_t> sizes;
  for (const auto word : words) {
    pointers.push_back(word.data());
    sizes.push_back(word.size());
  }
  ::redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), pointers.data(), sizes.data());
  ++own_commands;
}

std::string Redis::answer() {
  void* reply = nullptr;
  if (::redisGetReply(context_.get(), &reply) != REDIS_OK) {
    throw std::runtime_error(std::string("redis: ") + context_->errstr);
  }
  const ReplyPtr owner(static_cast<redisReply*>(reply), &::freeReplyObject);
  return text_of(*owner);
}

std::string Redis::operator()(const std::vector<std::string_view>& words) {
  append(words);
  return answer();
}

std::string Redis::info(std::string_view section, std::string_view key) {
  const std::string text = (*this)({"INFO", section});
  const std::size_t found = text.find("\n" + std::string(key) + ":");
  if (found == std::string::npos) throw std::runtime_error("redis: no " + std::string(key) + " in INFO");
  const std::size_t value = found + key.size() + 2;
  return text.substr(value, text.find('\r', value) - value);
}

// Redis counts a command when it is done, so its reply does not include the INFO itself.
std::uint64_t Redis::foreign_commands() {
  const std::uint64_t all = std::stoull(info("stats", "total_commands_processed"));
  return all - (own_commands - 1);
}

void Redis::forget_commands() {
  own_commands = 0;
}

std::string Redis::version() {
  return info("server", "redis_version");
}

RowWatch::RowWatch(const std::string& socket_path, int database)
    : subscriber_(socket_path, 0), reader_(socket_path, database) {
  subscriber_({"PSUBSCRIBE", "__keyspace@" + std::to_string(database) + "__:" + key_of("*")});
}

std::optional<std::string> RowWatch::next_change(std::chrono::milliseconds limit) {
  redisContext* context = subscriber_.context_.get();
  for (;;) {
    void* reply = nullptr;
    if (::redisGetReplyFromReader(context, &reply) != REDIS_OK) throw std::runtime_error(context->errstr);
    if (reply != nullptr) {
      const ReplyPtr owner(static_cast<redisReply*>(reply), &::freeReplyObject);
      const std::string_view channel{owner->element[2]->str, static_cast<std::size_t>(owner->element[2]->len)};
      return std::string(channel.substr(channel.find(table) + table.size()));
    }
    pollfd waiting{context->fd, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(limit.count())) == 0) return std::nullopt;
    if (::redisBufferRead(context) != REDIS_OK) throw std::runtime_error(context->errstr);
  }
}

std::optional<steady_clock::time_point> RowWatch::wait(std::string_view port, std::string_view field,
                                                       std::string_view value) {
  const std::string key = key_of(port);
  while (const auto changed = next_change(5s)) {
    if (*changed == port && reader_({"HGET", key, field}) == value) return steady_clock::now();
  }
  return std::nullopt;
}

// Reads the rows only when each has changed, or when no change has come for a while, because reading costs Redis time,
// too.
steady_clock::time_point RowWatch::wait_equal(const std::vector<Row>& rows, std::chrono::milliseconds limit) {
  std::unordered_set<std::string> changed;
  auto pause = 10ms;
  auto last_change = steady_clock::now();
  for (const auto end = last_change + limit; steady_clock::now() < end;) {
    if (const auto port = next_change(pause)) {
      last_change = steady_clock::now();
      changed.insert(*port);
      pause = changed.size() < rows.size() ? 10ms : 0ms;
      continue;
    }
    if (rows_equal(reader_, rows)) return last_change;
    pause = 10ms;
  }
  throw std::runtime_error("the rows never became equal to the links");
}

void RowWatch::discard() {
  while (next_change(0ms)) {
  }
}

bool rows_equal(Redis& redis, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    redis.append({"HMGET", key_of(row.port), "state", "mtu", "admin_status", "netdev_oper_status"});
  }
  bool equal = true;
  for (const Row& row : rows) {
    const std::string wanted = "ok " + row.mtu + " " + up_or_down(row.admin_up) + " " + up_or_down(row.oper_up);
    equal = (redis.answer() == wanted) && equal;
  }
  return equal;
}

void write_rows(Redis& redis, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    redis.append({"HSET", key_of(row.port), "state", "ok", "netdev_oper_status", up_or_down(row.oper_up),
                  "admin_status", up_or_down(row.admin_up), "mtu", row.mtu});
  }
  for (std::size_t i = 0; i < rows.size(); ++i) redis.answer();
}

}  // namespace portsync::bench
