// SPDX-License-Identifier: Apache-2.0
// The loop of link_monitor.cpp, for examples on other subjects. Drives one object until its process() returns an error.
#pragma once

#include <poll.h>

#include <cstdio>
#include <portsync/pollable.hpp>
#include <system_error>

// Prints the error and returns the exit status, always 1: these programs end by a signal or by an error.
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
