// SPDX-License-Identifier: Apache-2.0
// The loop of link_monitor.cpp, for examples about something else: waits for one object until it cannot go on.
#pragma once

#include <poll.h>

#include <cstdio>
#include <portsync/pollable.hpp>
#include <system_error>

// The exit status: always 1, for these programs end by a signal or because of an error, which it prints.
inline int run(portsync::Pollable& pollable, std::error_code started) {
  std::error_code error = started;
  while (!error) {
    pollfd waiting{pollable.fd(), POLLIN, 0};
    ::poll(&waiting, 1, -1);
    error = pollable.process();
  }
  std::fprintf(stderr, "%s\n", error.message().c_str());
  return 1;
}
