// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <vector>

namespace portsyncd {

// Who is at the other end of a unix socket, as the kernel says.
struct Peer {
  uid_t uid = static_cast<uid_t>(-1);
  std::vector<gid_t> groups;  // its own one and the supplementary ones
  pid_t pid = 0;              // 0 = not known, or of another namespace
};

// Nobody, when the kernel does not say.
[[nodiscard]] Peer peer_of(int fd);

// root, the daemon itself, and who is in the daemon's group.
[[nodiscard]] bool may_change(const Peer& peer, uid_t own_user, gid_t own_group);

}  // namespace portsyncd
