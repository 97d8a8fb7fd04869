// SPDX-License-Identifier: Apache-2.0
#include "os/names.hpp"

namespace portsync::os {

int getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) noexcept {
  return ::getaddrinfo(host, port, hints, found);
}

void freeaddrinfo(addrinfo* found) noexcept {
  ::freeaddrinfo(found);
}

}  // namespace portsync::os
