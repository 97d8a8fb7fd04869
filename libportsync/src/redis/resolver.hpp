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

// Where a socket can be connected to.
struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

struct Resolution {
  std::vector<Address> addresses;
  std::string error;  // for people, when there are none
};

// Turns a name and a port into addresses; may block. Runs in a thread of its own.
using Lookup = std::function<Resolution(const std::string& host, std::uint16_t port)>;

// getaddrinfo(3).
[[nodiscard]] Resolution look_up(const std::string& host, std::uint16_t port);

// The same for what is an address already: never blocks. Finds nothing for a name.
[[nodiscard]] Resolution look_up_numeric(const std::string& host, std::uint16_t port);

// Looks a name up in a short-lived thread, one at a time. There is no way to stop getaddrinfo(): destroying the
// Resolver leaves a thread that hangs in it alone (see os::Background).
class Resolver {
 public:
  explicit Resolver(Lookup lookup) : lookup_(std::move(lookup)) {}

  // Throws std::system_error (no thread, no descriptor).
  void start(const std::string& host, std::uint16_t port);

  [[nodiscard]] bool running() const noexcept { return lookup_running_.has_value(); }
  // Readable when it has finished; -1 when not running.
  [[nodiscard]] int fd() const noexcept { return running() ? lookup_running_->fd() : -1; }
  [[nodiscard]] bool finished() const { return running() && lookup_running_->finished(); }
  // When finished: the result, and it is no longer running. fd() may be closed, and its number used again, from here
  // on.
  [[nodiscard]] Resolution take();

 private:
  Lookup lookup_;
  std::optional<os::Background<Resolution>> lookup_running_;
};

}  // namespace portsync::redis
