// SPDX-License-Identifier: Apache-2.0
// Prints every link of the network namespace and then every change. This is the smallest use of a LinkSource, with
// poll(2).
//
//   g++ -std=c++17 link_monitor.cpp -o link_monitor $(pkg-config --cflags --libs portsync)
//
// It needs no privileges. After a loss of messages the source takes a new snapshot by itself, and the program prints
// only the changes that were missed.
#include <poll.h>

#include <cstdio>
#include <portsync/netlink/link_source.hpp>
#include <system_error>

#include "print_change.hpp"

int main() try {
  const auto source = portsync::netlink::make_link_source();
  std::error_code error = source->start(print_change);
  while (!error) {
    pollfd waiting{source->fd(), POLLIN, 0};
    ::poll(&waiting, 1, -1);  // a signal may end the wait early; process() may be called at any time
    error = source->process();
  }
  std::fprintf(stderr, "link_monitor: %s\n", error.message().c_str());
  return 1;
} catch (const std::system_error& error) {
  std::fprintf(stderr, "link_monitor: %s\n", error.what());
  return 1;
}
