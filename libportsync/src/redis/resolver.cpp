// SPDX-License-Identifier: Apache-2.0
#include "redis/resolver.hpp"

#include <cstring>
#include <exception>
#include <memory>

#include "os/names.hpp"

namespace portsync::redis {
namespace {

Resolution get_addresses(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = os::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  Resolution resolution;
  if (error != 0) {
    resolution.error = ::gai_strerror(error);
    return resolution;
  }
  const std::unique_ptr<addrinfo, decltype(&os::freeaddrinfo)> owner(found, &os::freeaddrinfo);
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    Address address;
    if (info->ai_addrlen > sizeof address.storage) continue;
    std::memcpy(&address.storage, info->ai_addr, info->ai_addrlen);
    address.size = info->ai_addrlen;
    resolution.addresses.push_back(address);
  }
  return resolution;
}

}  // namespace

Resolution look_up(const std::string& host, std::uint16_t port) {
  return get_addresses(host, port, 0);
}

Resolution look_up_numeric(const std::string& host, std::uint16_t port) {
  return get_addresses(host, port, AI_NUMERICHOST);
}

void Resolver::start(const std::string& host, std::uint16_t port) {
  const auto resolve = [host, port, lookup = lookup_] {
    try {
      return lookup(host, port);
    } catch (const std::exception& error) {
      Resolution resolution;
      resolution.error = error.what();
      return resolution;
    }
  };
  try {
    lookup_running_.emplace().start(resolve);
  } catch (...) {
    lookup_running_.reset();  // without a thread, the lookup would never finish
    throw;
  }
}

Resolution Resolver::take() {
  Resolution resolution = lookup_running_->take();
  lookup_running_.reset();
  return resolution;
}

}  // namespace portsync::redis
