// SPDX-License-Identifier: Apache-2.0
#include "os/names.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "sim/machine.hpp"

namespace portsync::os {
namespace {

struct Entry {
  addrinfo info{};
  sockaddr_in address{};
};

}  // namespace

// Knows only IPv4 addresses. Resolving a name takes time, and returns the addresses that the name has at the end of it.
int getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) noexcept {
  sim::Machine& machine = sim::Machine::current();
  *found = nullptr;
  in_addr number{};
  std::vector<std::string> addresses;
  if (::inet_pton(AF_INET, host, &number) == 1) {
    addresses.emplace_back(host);
  } else if ((hints->ai_flags & AI_NUMERICHOST) == 0) {
    machine.world.block("getaddrinfo", machine.world.now() + machine.network.resolving);
    addresses = machine.network.resolve(host);
  }
  for (auto it = addresses.rbegin(); it != addresses.rend(); ++it) {
    auto* entry = new Entry;
    entry->address.sin_family = AF_INET;
    entry->address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
    ::inet_pton(AF_INET, it->c_str(), &entry->address.sin_addr);
    entry->info.ai_family = AF_INET;
    entry->info.ai_socktype = SOCK_STREAM;
    entry->info.ai_addr = reinterpret_cast<sockaddr*>(&entry->address);
    entry->info.ai_addrlen = sizeof entry->address;
    entry->info.ai_next = *found;
    *found = &entry->info;
  }
  return *found == nullptr ? EAI_NONAME : 0;
}

void freeaddrinfo(addrinfo* found) noexcept {
  while (found != nullptr) {
    auto* entry = reinterpret_cast<Entry*>(found);
    found = found->ai_next;
    delete entry;
  }
}

}  // namespace portsync::os
