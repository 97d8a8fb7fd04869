// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <portsync/redis/client_list.hpp>
#include <utility>

namespace portsync::redis {
namespace {

// Returns the text before the separator, and removes it and the separator from `text`.
std::string_view take_until(std::string_view& text, char separator) {
  const std::string_view taken = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

}  // namespace

std::vector<ListedClient> named_clients(std::string_view client_list) {
  std::vector<ListedClient> clients;
  while (!client_list.empty()) {
    std::string_view line = take_until(client_list, '\n');
    ListedClient client;
    while (!line.empty()) {
      std::string_view value = take_until(line, ' ');
      const std::string_view key = take_until(value, '=');
      if (key == "id") std::from_chars(value.data(), value.data() + value.size(), client.id);
      if (key == "name") client.name = value;
    }
    if (!client.name.empty()) clients.push_back(std::move(client));
  }
  return clients;
}

}  // namespace portsync::redis
