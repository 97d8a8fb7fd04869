// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What a redis-server writes, and what it knows of its commands.
namespace sim::resp {

void status(std::string& out, std::string_view text);
void error(std::string& out, std::string_view text);
void integer(std::string& out, std::int64_t value);
void bulk(std::string& out, std::string_view text);
void nil(std::string& out);
void array(std::string& out, std::size_t size);

struct Command {
  std::string_view name;
  int arity;              // with its name; negative = at least so many
  bool writes = false;    // is refused by a server that takes no writes
  bool always = false;    // is executed by a server that is loading
  std::size_t first_key = 0;  // 0 = none
  bool all_keys = false;  // from the first on
};
// nullptr: there is none. `name` in small letters.
[[nodiscard]] const Command* find_command(std::string_view name);

[[nodiscard]] std::string lower(std::string_view text);
// "client|setname", in an error.
[[nodiscard]] std::string full_name(const std::string& command, const std::vector<std::string_view>& words);
[[nodiscard]] std::string unknown_command(const std::vector<std::string_view>& words);
// Redis' globs.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);

}  // namespace sim::resp
