// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netdb.h>

// The system's name resolution, as its manual page describes it. See os/socket.hpp for why the library wraps it.
namespace portsync::os {

[[nodiscard]] int getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) noexcept;
void freeaddrinfo(addrinfo* found) noexcept;

}  // namespace portsync::os
