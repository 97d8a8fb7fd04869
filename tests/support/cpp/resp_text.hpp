// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "redis/resp.hpp"

namespace portsync::test {

// Short ways to write RESP in tests.
inline std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}
inline const std::string nil = "$-1\r\n";
inline const std::string ok = "+OK\r\n";
inline const std::string queued = "+QUEUED\r\n";

inline std::string array(const std::vector<std::string>& elements) {
  std::string text = "*" + std::to_string(elements.size()) + "\r\n";
  for (const auto& element : elements) text += element;
  return text;
}

inline std::string bulks(const std::vector<std::string>& texts) {
  std::vector<std::string> elements;
  for (const auto& text : texts) elements.push_back(bulk(text));
  return array(elements);
}

// A reply, parsed from its text. Owns it.
class Answer {
 public:
  explicit Answer(const std::string& text) {
    redis::ReplyReader reader;
    reader.feed(text.data(), text.size());
    if (reader.next(reply_) != redis::ReplyReader::Result::reply) throw std::runtime_error("not an answer: " + text);
  }
  [[nodiscard]] redis::Reply get() const { return redis::Reply(*reply_); }
  operator redis::Reply() const { return get(); }  // NOLINT(google-explicit-constructor)

 private:
  redis::ReplyPtr reply_;
};

// Returns each request as one line with spaces between its words: "HSET key field value".
inline std::vector<std::string> lines(const redis::CommandBuffer& commands) {
  redis::ReplyReader reader;  // requests have the form of replies: arrays of strings
  reader.feed(commands.bytes().data(), commands.bytes().size());
  std::vector<std::string> result;
  redis::ReplyPtr owner;
  while (reader.next(owner) == redis::ReplyReader::Result::reply) {
    const redis::Reply request(*owner);
    std::string line;
    for (std::size_t i = 0; i < request.size(); ++i) line += (i == 0 ? "" : " ") + std::string(request[i].text());
    result.push_back(line);
  }
  return result;
}

}  // namespace portsync::test
