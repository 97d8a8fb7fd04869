// SPDX-License-Identifier: Apache-2.0
#include "sim/resp.hpp"

#include <algorithm>
#include <array>

namespace sim::resp {
namespace {

// Sorted by name.
constexpr std::array<Command, 35> commands{{
    {"auth", -2, false, true},
    {"client", -2, false, true},
    {"dbsize", 1, false, false},
    {"del", -2, true, false, 1, true},
    {"discard", 1, false, true},
    {"echo", 2, false, true},
    {"eval", -3, false, false},
    {"exec", 1, false, true},
    {"exists", -2, false, false, 1, true},
    {"flushdb", -1, true, false},
    {"get", 2, false, false, 1},
    {"hdel", -3, true, false, 1},
    {"hget", 3, false, false, 1},
    {"hgetall", 2, false, false, 1},
    {"hlen", 2, false, false, 1},
    {"hmget", -3, false, false, 1},
    {"hset", -4, true, false, 1},
    {"info", -1, false, true},
    {"multi", 1, false, true},
    {"ping", -1, false, false},
    {"psubscribe", -2, false, true},
    {"publish", 3, false, true},
    {"sadd", -3, true, false, 1},
    {"scan", -2, false, false},
    {"scard", 2, false, false, 1},
    {"select", 2, false, true},
    {"set", -3, true, false, 1},
    {"sismember", 3, false, false, 1},
    {"smembers", 2, false, false, 1},
    {"spop", -2, true, false, 1},
    {"srem", -3, true, false, 1},
    {"subscribe", -2, false, true},
    {"time", 1, false, true},
    {"type", 2, false, false, 1},
    {"unlink", -2, true, false, 1, true},
}};

}  // namespace

void status(std::string& out, std::string_view text) {
  out.append("+").append(text).append("\r\n");
}

void error(std::string& out, std::string_view text) {
  out.append("-").append(text).append("\r\n");
}

void integer(std::string& out, std::int64_t value) {
  out.append(":").append(std::to_string(value)).append("\r\n");
}

void bulk(std::string& out, std::string_view text) {
  out.append("$").append(std::to_string(text.size())).append("\r\n").append(text).append("\r\n");
}

void nil(std::string& out) {
  out.append("$-1\r\n");
}

void array(std::string& out, std::size_t size) {
  out.append("*").append(std::to_string(size)).append("\r\n");
}

const Command* find_command(std::string_view name) {
  const auto* found = std::lower_bound(commands.begin(), commands.end(), name,
                                       [](const Command& command, std::string_view n) { return command.name < n; });
  return found == commands.end() || found->name != name ? nullptr : found;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::string full_name(const std::string& command, const std::vector<std::string_view>& words) {
  return command == "client" && words.size() > 1 ? command + "|" + lower(words[1]) : command;
}

std::string unknown_command(const std::vector<std::string_view>& words) {
  std::string text = "ERR unknown command '" + std::string(words[0].substr(0, 128)) + "', with args beginning with: ";
  for (std::size_t i = 1; i < words.size() && text.size() < 128; ++i) {
    text.append("'").append(words[i].substr(0, 128)).append("' ");
  }
  return text;
}

bool matches(std::string_view pattern, std::string_view text) {
  while (!pattern.empty()) {
    const char c = pattern.front();
    if (c == '*') {
      pattern.remove_prefix(1);
      for (std::size_t skip = 0; skip <= text.size(); ++skip) {
        if (matches(pattern, text.substr(skip))) return true;
      }
      return false;
    }
    if (text.empty()) return false;
    if (c == '[') {
      const std::size_t end = pattern.find(']', 1);
      const std::string_view set = pattern.substr(1, end - 1);
      if (set.find(text.front()) == std::string_view::npos) return false;
      pattern.remove_prefix(end == std::string_view::npos ? pattern.size() : end + 1);
    } else {
      if (c == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
      if (pattern.front() != text.front() && c != '?') return false;
      pattern.remove_prefix(1);
    }
    text.remove_prefix(1);
  }
  return text.empty();
}

}  // namespace sim::resp
