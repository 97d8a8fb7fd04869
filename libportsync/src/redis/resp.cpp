// SPDX-License-Identifier: Apache-2.0
#include "redis/resp.hpp"

#include <hiredis/hiredis.h>

#include <array>
#include <charconv>
#include <limits>
#include <new>

namespace portsync::redis {

namespace {

constexpr std::size_t longest_count = 1 + std::numeric_limits<std::size_t>::digits10 + 1 + 2;

void add_count(std::string& bytes, char type, std::size_t count) {
  std::array<char, longest_count> text;
  text[0] = type;
  char* end = std::to_chars(text.data() + 1, text.data() + text.size(), count).ptr;
  *end++ = '\r';
  *end++ = '\n';
  bytes.append(text.data(), end);
}

// Returns the reader's current task. hiredis keeps its tasks in an array in 0.14, and behind pointers from 1.0 on.
template <typename Reader>
const redisReadTask& task_of(const Reader& reader) noexcept {
  if constexpr (requires { reader.rstack; }) {
    return reader.rstack[reader.ridx];
  } else {
    return *reader.task[reader.ridx];
  }
}

}  // namespace

// Does not use redisFormatCommandArgv(), because its eleven sprintf() calls took 40 % of the time of a row.
void CommandBuffer::add(std::span<const std::string_view> words) {
  std::size_t size = longest_count;
  for (const std::string_view word : words) size += longest_count + word.size() + 2;
  bytes_.reserve(bytes_.size() + size);  // all or nothing: the code below does not allocate
  add_count(bytes_, '*', words.size());
  for (const std::string_view word : words) {
    add_count(bytes_, '$', word.size());
    bytes_.append(word).append("\r\n");
  }
  ++commands_;
}

void CommandBuffer::append(const CommandBuffer& other) {
  bytes_ += other.bytes_;
  commands_ += other.commands_;
}

void CommandBuffer::clear() noexcept {
  bytes_.clear();
  commands_ = 0;
}

Reply::Type Reply::type() const noexcept {
  switch (reply_->type) {
    case REDIS_REPLY_STATUS:
      return Type::status;
    case REDIS_REPLY_STRING:
      return Type::string;
    case REDIS_REPLY_INTEGER:
      return Type::integer;
    case REDIS_REPLY_ARRAY:
      return Type::array;
    case REDIS_REPLY_ERROR:
      return Type::error;
    default:
      return Type::nil;  // The reader accepts some RESP3 types (null, boolean, double), which are no reply to any
                         // of our requests
  }
}

std::string_view Reply::text() const noexcept {
  return reply_->str == nullptr ? std::string_view() : std::string_view(reply_->str, reply_->len);
}

long long Reply::integer() const noexcept {
  return is(Type::integer) ? reply_->integer : 0;
}

std::size_t Reply::size() const noexcept {
  return is(Type::array) ? reply_->elements : 0;
}

Reply Reply::operator[](std::size_t index) const noexcept {
  return Reply(*reply_->element[index]);
}

void ReplyDeleter::operator()(redisReply* reply) const noexcept {
  ::freeReplyObject(reply);
}

// Checks each element before it calls hiredis' own function. hiredis does not limit the elements of an array (0.14: up
// to 2^31, allocated at once), nor, from 1.0 on, their nesting (freed by recursion). And 1.x asserts inside a RESP3
// attribute. So one line of a hostile server could end the process. Returning nullptr makes the reader fail.
struct ReplyReader::Functions {
  redisReplyObjectFunctions original{};
  redisReplyObjectFunctions guarded{};

  Functions() {
    redisReader* reader = ::redisReaderCreate();
    if (reader == nullptr) throw std::bad_alloc();
    original = *reader->fn;
    ::redisReaderFree(reader);
    guarded = original;
    guarded.createArray = &create_array;
    guarded.createString = &create_string;
  }

  // The count is an int in 0.14 and a size_t from 1.0 on.
  template <typename Count>
  static void* create_array(const redisReadTask* task, Count count) {
    auto& self = *static_cast<ReplyReader*>(task->privdata);
    int depth = 0;
    for (const auto* parent = task->parent; parent != nullptr; parent = parent->parent) ++depth;
    const auto elements = static_cast<std::size_t>(count);
    if (task->type != REDIS_REPLY_ARRAY || depth >= max_depth || elements > max_elements - self.elements_)
      return nullptr;
    self.elements_ += elements;
    return functions().original.createArray(task, count);
  }

  static void* create_string(const redisReadTask* task, char* text, std::size_t size) {
    const bool line = task->type == REDIS_REPLY_STATUS || task->type == REDIS_REPLY_ERROR;
    if (!line && task->type != REDIS_REPLY_STRING) return nullptr;
    return size <= (line ? max_line : max_bytes) ? functions().original.createString(task, text, size) : nullptr;
  }
};

ReplyReader::Functions& ReplyReader::functions() {
  static Functions functions;
  return functions;
}

ReplyReader::ReplyReader() {
  reset();
}

ReplyReader::~ReplyReader() {
  ::redisReaderFree(reader_);
}

void ReplyReader::reset() {
  auto& guarded = functions().guarded;
  redisReader* fresh = ::redisReaderCreate();
  if (fresh == nullptr) throw std::bad_alloc();
  if (reader_ != nullptr) ::redisReaderFree(reader_);
  reader_ = fresh;
  reader_->fn = &guarded;
  reader_->privdata = this;
  incomplete_bytes_ = 0;
  elements_ = 0;
  fed_ = false;
}

void ReplyReader::feed(const char* data, std::size_t size) noexcept {
  // The reader stores a failure, and next() returns it.
  [[maybe_unused]] const int result = ::redisReaderFeed(reader_, data, size);
  incomplete_bytes_ += size;
  fed_ = true;
}

ReplyReader::Result ReplyReader::next(ReplyPtr& reply) noexcept {
  if (!fed_ && reader_->err == 0) return Result::incomplete;
  void* found = nullptr;
  if (::redisReaderGetReply(reader_, &found) != REDIS_OK) return Result::broken;
  if (found == nullptr) {
    fed_ = false;
    return may_go_on() ? Result::incomplete : Result::broken;
  }
  reply.reset(static_cast<redisReply*>(found));
  elements_ = 0;
  incomplete_bytes_ = reader_->len - reader_->pos;
  return Result::reply;
}

// Returns whether an incomplete reply can still be within the limits. A line without an end must be limited too:
// hiredis searches for the end of a line from its beginning whenever data arrives, so that a longer line costs more
// each time.
bool ReplyReader::may_go_on() const noexcept {
  if (incomplete_bytes_ > max_bytes) return false;
  if (reader_->ridx < 0) return true;
  const std::string_view rest(reader_->buf + reader_->pos, reader_->len - reader_->pos);  // after the byte of the type
  if (task_of(*reader_).type != REDIS_REPLY_STRING) return rest.size() <= max_line;
  const std::string_view length = rest.substr(0, rest.substr(0, longest_count).find('\r'));
  if (length.size() == longest_count) return false;
  std::size_t size = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), size);
  return error == std::errc::invalid_argument || (error == std::errc() && size <= max_bytes);
}

const char* ReplyReader::error() const noexcept {
  if (reader_->err == REDIS_ERR_OOM) return "the answer is too large or too deep";
  return reader_->err != 0 ? reader_->errstr : "the answer is too large";
}

}  // namespace portsync::redis
