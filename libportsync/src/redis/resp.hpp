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

// Requests in RESP, one after the other, as they will be sent (https://redis.io/docs/reference/protocol-spec).
class CommandBuffer {
 public:
  void add(std::span<const std::string_view> words);
  void add(std::initializer_list<std::string_view> words) { add(std::span(words.begin(), words.size())); }
  void append(const CommandBuffer& other);
  // Keeps the memory.
  void clear() noexcept;

  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t commands() const noexcept { return commands_; }

 private:
  std::string bytes_;
  std::size_t commands_ = 0;
};

// An answer, or an element of one. Borrows what it shows.
class Reply {
 public:
  enum class Type : std::uint8_t { nil, status, string, integer, array, error };

  explicit Reply(const redisReply& reply) noexcept : reply_(&reply) {}

  [[nodiscard]] Type type() const noexcept;
  [[nodiscard]] bool is(Type type) const noexcept { return this->type() == type; }
  [[nodiscard]] bool is_error() const noexcept { return is(Type::error); }
  [[nodiscard]] std::string_view text() const noexcept;  // status, string and error; else ""
  [[nodiscard]] long long integer() const noexcept;      // integer; else 0
  [[nodiscard]] std::size_t size() const noexcept;       // array; else 0
  [[nodiscard]] Reply operator[](std::size_t index) const noexcept;

 private:
  const redisReply* reply_;
};

struct ReplyDeleter {
  void operator()(redisReply* reply) const noexcept;
};
using ReplyPtr = std::unique_ptr<redisReply, ReplyDeleter>;

// Cuts a stream into answers, with bounds on what the other side can make us hold: a daemon of 64 MiB must survive any
// answer. The largest that is asked for is the index of 65,536 ports. RESP2 only, for we never ask for more.
class ReplyReader {
 public:
  static constexpr std::size_t max_bytes = std::size_t{8} << 20U;     // of one answer, as it is sent
  static constexpr std::size_t max_elements = std::size_t{1} << 17U;  // of one answer, at all its levels together
  static constexpr std::size_t max_line = std::size_t{64} << 10U;     // of a status or an error, which have no length
  static constexpr int max_depth = 7;

  enum class Result : std::uint8_t { reply, incomplete, broken };

  // Throws std::bad_alloc.
  ReplyReader();
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  void feed(const char* data, std::size_t size) noexcept;
  // broken is final.
  [[nodiscard]] Result next(ReplyPtr& reply) noexcept;
  // Forgets everything, for another stream. Throws std::bad_alloc.
  void reset();
  // Why it is broken.
  [[nodiscard]] const char* error() const noexcept;
  // Fed since the last complete answer.
  [[nodiscard]] std::size_t incomplete_bytes() const noexcept { return incomplete_bytes_; }

 private:
  struct Functions;
  static Functions& functions();
  [[nodiscard]] bool may_go_on() const noexcept;

  redisReader* reader_ = nullptr;
  std::size_t incomplete_bytes_ = 0;
  std::size_t elements_ = 0;  // of the answer under way
  bool fed_ = false;          // since the answer was found incomplete: else there is no point in looking again
};

}  // namespace portsync::redis
