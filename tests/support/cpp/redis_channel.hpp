// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace portsync::test {

// An independent subscriber of one channel.
class RedisChannel {
 public:
  RedisChannel(const std::string& socket_path, std::string name)
      : context_(::redisConnectUnixWithTimeout(socket_path.c_str(), {5, 0}), &::redisFree), name_(std::move(name)) {
    if (!context_ || context_->err != 0) throw std::runtime_error("cannot connect to " + socket_path);
    ::redisSetTimeout(context_.get(), {10, 0});
    (void)answer("SUBSCRIBE");
  }

  // Returns the messages that were published between the last call and this one.
  std::vector<std::string> messages() {
    const char* ping[] = {"PING"};
    ::redisAppendCommandArgv(context_.get(), 1, ping, nullptr);
    std::vector<std::string> result;
    for (;;) {
      const Reply reply = read();
      const std::string kind = reply->element[0]->str;
      if (kind == "pong") return result;
      if (kind != "message") throw std::runtime_error("not a message: " + kind);
      result.emplace_back(reply->element[2]->str, reply->element[2]->len);
    }
  }

 private:
  using Reply = std::unique_ptr<redisReply, decltype(&::freeReplyObject)>;

  Reply answer(const char* command) {
    const char* words[] = {command, name_.c_str()};
    ::redisAppendCommandArgv(context_.get(), 2, words, nullptr);
    return read();
  }
  Reply read() {
    void* reply = nullptr;
    if (::redisGetReply(context_.get(), &reply) != REDIS_OK) throw std::runtime_error(context_->errstr);
    Reply owner(static_cast<redisReply*>(reply), &::freeReplyObject);
    if (owner->type != REDIS_REPLY_ARRAY) throw std::runtime_error("not an array");
    return owner;
  }

  std::unique_ptr<redisContext, decltype(&::redisFree)> context_;
  std::string name_;
};

}  // namespace portsync::test
