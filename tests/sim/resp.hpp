// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The format of a redis-server's replies, and the properties of its commands.
namespace sim::resp {

void status(std::string& out, std::string_view text);
void error(std::string& out, std::string_view text);
void integer(std::string& out, std::int64_t value);
void bulk(std::string& out, std::string_view text);
void nil(std::string& out);
void array(std::string& out, std::size_t size);

struct Command {
  std::string_view name;
  int arity;              // including its name; negative = at least so many
  bool writes = false;    // a server that accepts no writes refuses it
  bool always = false;    // a server that is loading executes it
  std::size_t first_key = 0;  // 0 = none
  bool all_keys = false;  // from the first key on
};
// Returns nullptr if there is no such command. `name` is in lower case.
[[nodiscard]] const Command* find_command(std::string_view name);

[[nodiscard]] std::string lower(std::string_view text);
// Returns a name like "client|setname", as in errors.
[[nodiscard]] std::string full_name(const std::string& command, const std::vector<std::string_view>& words);
[[nodiscard]] std::string unknown_command(const std::vector<std::string_view>& words);
// Returns whether `text` matches a glob of Redis.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);

}  // namespace sim::resp
