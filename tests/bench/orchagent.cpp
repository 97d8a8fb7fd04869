// SPDX-License-Identifier: Apache-2.0
#include "orchagent.hpp"

#include <hiredis/hiredis.h>
#include <poll.h>

#include <memory>
#include <stdexcept>

namespace portsync::bench {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// Pops each key as sonic-swss-common's ConsumerStateTable does, 128 at a time.
constexpr const char* take = R"(
local keys = redis.call('SPOP', 'PORT_TABLE_KEY_SET', 128)
for _, key in ipairs(keys) do
  if redis.call('SREM', 'PORT_TABLE_DEL_SET', key) == 1 then redis.call('DEL', 'PORT_TABLE:' .. key) end
  local fields = redis.call('HGETALL', '_PORT_TABLE:' .. key)
  for i = 1, #fields, 2 do redis.call('HSET', 'PORT_TABLE:' .. key, fields[i], fields[i + 1]) end
  redis.call('DEL', '_PORT_TABLE:' .. key)
end
return keys)";

using Context = std::unique_ptr<redisContext, decltype(&::redisFree)>;
using Reply = std::unique_ptr<redisReply, decltype(&::freeReplyObject)>;

Context connect(const std::string& path) {
  Context context(::redisConnectUnix(path.c_str()), &::redisFree);
  if (!context || context->err != 0) throw std::runtime_error("cannot connect to " + path);
  return context;
}

Reply ask(redisContext* context, const char* format, const char* argument) {
  Reply reply(static_cast<redisReply*>(::redisCommand(context, format, argument)), &::freeReplyObject);
  if (!reply || reply->type == REDIS_REPLY_ERROR) throw std::runtime_error(reply ? reply->str : context->errstr);
  return reply;
}

}  // namespace

Orchagent::Orchagent(const std::string& redis_path)
    : thread_([this, redis_path] {
        try {
          run(redis_path);
        } catch (const std::exception& error) {
          const std::lock_guard lock(mutex_);
          trouble_ = error.what();
        }
        subscribed_ = true;
      }) {
  while (!subscribed_) std::this_thread::sleep_for(1ms);
}

Orchagent::~Orchagent() {
  stopping_ = true;
  thread_.join();
}

void Orchagent::run(const std::string& redis_path) {
  const Context subscriber = connect(redis_path);
  const Context consumer = connect(redis_path);
  ask(subscriber.get(), "SUBSCRIBE %s", "PORT_TABLE_CHANNEL@0");
  subscribed_ = true;
  while (!stopping_) {
    pollfd waiting{subscriber->fd, POLLIN, 0};
    if (::poll(&waiting, 1, 20) == 0) continue;
    if (::redisBufferRead(subscriber.get()) != REDIS_OK) return;  // Redis has gone, and the test ends with it
    for (void* message = nullptr;;) {
      if (::redisGetReplyFromReader(subscriber.get(), &message) != REDIS_OK || message == nullptr) break;
      ::freeReplyObject(message);
    }
    // One look pops everything, so the messages behind it find nothing and cost nothing.
    for (bool more = true; more;) {
      const Reply keys = ask(consumer.get(), "EVAL %s 0", take);
      more = keys->elements > 0;
      for (std::size_t i = 0; i < keys->elements; ++i) {
        if (std::string(keys->element[i]->str) != "PortConfigDone") continue;
        const std::lock_guard lock(mutex_);
        done_ = steady_clock::now();
      }
    }
  }
}

steady_clock::time_point Orchagent::wait_port_config_done(std::chrono::milliseconds limit) {
  for (const auto end = steady_clock::now() + limit; steady_clock::now() < end;) {
    {
      const std::lock_guard lock(mutex_);
      if (done_) return *done_;
      if (!trouble_.empty()) throw std::runtime_error(trouble_);
    }
    std::this_thread::sleep_for(1ms);
  }
  throw std::runtime_error("no PortConfigDone");
}

}  // namespace portsync::bench
