// SPDX-License-Identifier: Apache-2.0
// Holds the kernel's rtnl lock through a link of its network namespace, until its standard input ends or 3 s are over.
//
//   hold_rtnl LINK
//
// Prints "held". Exits with 77 where it cannot hold the lock.

#include <poll.h>

#include <cstdio>
#include <exception>

#include "support/cpp/rtnl_lock.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const auto lock = portsync::test::RtnlLock::hold(argv[1]);
    if (!lock) return 77;
    std::puts("held");
    std::fflush(stdout);
    pollfd input{0, POLLIN, 0};
    ::poll(&input, 1, 10'000);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hold_rtnl: %s\n", error.what());
    return 1;
  }
}
