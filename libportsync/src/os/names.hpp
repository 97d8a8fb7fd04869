// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netdb.h>

// The system's name resolution, as its manual page has it; see os/socket.hpp for why it is a function of ours.
namespace portsync::os {

[[nodiscard]] int getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) noexcept;
void freeaddrinfo(addrinfo* found) noexcept;

}  // namespace portsync::os
