// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "os/background.hpp"

namespace portsync::redis {

// An address that a socket can connect to.
struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

struct Resolution {
  std::vector<Address> addresses;
  std::string error;  // for people, if there are no addresses
};

// Resolves a name and a port into addresses. May block. Runs in a thread of its own.
using Lookup = std::function<Resolution(const std::string& host, std::uint16_t port)>;

// Resolves with getaddrinfo(3).
[[nodiscard]] Resolution look_up(const std::string& host, std::uint16_t port);

// The same for a numeric address. Never blocks. Finds nothing for a name.
[[nodiscard]] Resolution look_up_numeric(const std::string& host, std::uint16_t port);

// Resolves names, one at a time, in a short-lived thread. getaddrinfo() cannot be stopped, so the destructor does not
// wait for a thread that hangs in it (see os::Background).
class Resolver {
 public:
  explicit Resolver(Lookup lookup) : lookup_(std::move(lookup)) {}

  // Throws std::system_error if no thread or no descriptor is available.
  void start(const std::string& host, std::uint16_t port);

  [[nodiscard]] bool running() const noexcept { return lookup_running_.has_value(); }
  // Readable when the lookup has finished; -1 if none is running.
  [[nodiscard]] int fd() const noexcept { return running() ? lookup_running_->fd() : -1; }
  [[nodiscard]] bool finished() const { return running() && lookup_running_->finished(); }
  // When finished: returns the result and ends the lookup. It may close fd(), whose number may then be reused.
  [[nodiscard]] Resolution take();

 private:
  Lookup lookup_;
  std::optional<os::Background<Resolution>> lookup_running_;
};

}  // namespace portsync::redis
