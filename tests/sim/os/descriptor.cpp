// SPDX-License-Identifier: Apache-2.0
#include "os/descriptor.hpp"

#include "sim/world.hpp"

namespace portsync::os {

void Descriptor::reset(int fd) noexcept {
  if (fd_ >= 0) {
    sim::World& world = sim::World::current();
    world.enter("close");
    world.close(fd_);
  }
  fd_ = fd;
}

}  // namespace portsync::os
