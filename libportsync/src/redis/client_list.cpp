// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <portsync/redis/client_list.hpp>

namespace portsync::redis {
namespace {

// What is before the separator; `text` becomes what is after it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::string_view taken = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

}  // namespace

std::vector<std::string> client_names(std::string_view client_list) {
  constexpr std::string_view key = "name=";
  std::vector<std::string> names;
  while (!client_list.empty()) {
    std::string_view line = take_until(client_list, '\n');
    while (!line.empty()) {
      const std::string_view word = take_until(line, ' ');
      if (word.size() > key.size() && word.substr(0, key.size()) == key) names.emplace_back(word.substr(key.size()));
    }
  }
  return names;
}

}  // namespace portsync::redis
