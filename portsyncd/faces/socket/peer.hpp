// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <vector>

namespace portsyncd {

// The process at the other end of a unix socket, as the kernel reports it.
struct Peer {
  uid_t uid = static_cast<uid_t>(-1);
  std::vector<gid_t> groups;  // the primary and the supplementary ones
  pid_t pid = 0;              // 0 = unknown, or in another PID namespace
};

// Returns the peer of the socket. If the kernel reports none, returns a Peer that may do nothing (uid -1).
[[nodiscard]] Peer peer_of(int fd);

// Returns true for root, for the daemon's own user and for members of the daemon's group.
[[nodiscard]] bool may_change(const Peer& peer, uid_t own_user, gid_t own_group);

}  // namespace portsyncd
