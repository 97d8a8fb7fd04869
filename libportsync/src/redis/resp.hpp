// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct redisReader;
struct redisReply;

namespace portsync::redis {

// A buffer of requests in RESP, in the order in which they will be sent
// (https://redis.io/docs/reference/protocol-spec).
class CommandBuffer {
 public:
  void add(std::span<const std::string_view> words);
  void add(std::initializer_list<std::string_view> words) { add(std::span(words.begin(), words.size())); }
  void append(const CommandBuffer& other);
  // Removes the requests and keeps the memory.
  void clear() noexcept;

  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t commands() const noexcept { return commands_; }

 private:
  std::string bytes_;
  std::size_t commands_ = 0;
};

// A view of a reply, or of an element of one. It borrows the data.
class Reply {
 public:
  enum class Type : std::uint8_t { nil, status, string, integer, array, error };

  explicit Reply(const redisReply& reply) noexcept : reply_(&reply) {}

  [[nodiscard]] Type type() const noexcept;
  [[nodiscard]] bool is(Type type) const noexcept { return this->type() == type; }
  [[nodiscard]] bool is_error() const noexcept { return is(Type::error); }
  [[nodiscard]] std::string_view text() const noexcept;  // of a status, string or error; otherwise ""
  [[nodiscard]] long long integer() const noexcept;      // of an integer; otherwise 0
  [[nodiscard]] std::size_t size() const noexcept;       // of an array; otherwise 0
  [[nodiscard]] Reply operator[](std::size_t index) const noexcept;

 private:
  const redisReply* reply_;
};

struct ReplyDeleter {
  void operator()(redisReply* reply) const noexcept;
};
using ReplyPtr = std::unique_ptr<redisReply, ReplyDeleter>;

// Splits a stream into replies. It limits the memory that the server can make us allocate, because a daemon of 64 MiB
// must survive any reply. The largest reply that we request is the index of 65,536 ports. RESP2 only, because we never
// request RESP3.
class ReplyReader {
 public:
  static constexpr std::size_t max_bytes = std::size_t{8} << 20U;     // of one reply, as sent
  static constexpr std::size_t max_elements = std::size_t{1} << 17U;  // of one reply, on all its levels together
  static constexpr std::size_t max_line = std::size_t{64} << 10U;     // of a status or an error, which state no length
  static constexpr int max_depth = 7;

  enum class Result : std::uint8_t { reply, incomplete, broken };

  // Throws std::bad_alloc.
  ReplyReader();
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  void feed(const char* data, std::size_t size) noexcept;
  // Returns the next complete reply, if any. Result::broken is final.
  [[nodiscard]] Result next(ReplyPtr& reply) noexcept;
  // Starts with a new stream and drops all data. Throws std::bad_alloc.
  void reset();
  // Returns why the stream is broken.
  [[nodiscard]] const char* error() const noexcept;
  // Returns how many bytes were fed since the last complete reply.
  [[nodiscard]] std::size_t incomplete_bytes() const noexcept { return incomplete_bytes_; }

 private:
  struct Functions;
  static Functions& functions();
  [[nodiscard]] bool may_go_on() const noexcept;

  redisReader* reader_ = nullptr;
  std::size_t incomplete_bytes_ = 0;
  std::size_t elements_ = 0;  // of the incomplete reply
  bool fed_ = false;          // data arrived since the reply was found incomplete; otherwise parsing again is useless
};

}  // namespace portsync::redis
