// SPDX-License-Identifier: Apache-2.0
#include "faces/socket/peer.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace portsyncd {

Peer peer_of(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  Peer peer{credentials.uid, std::vector<gid_t>(64), credentials.pid};
  for (;;) {
    size = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
    const bool complete = ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &size) == 0;
    const bool too_small = !complete && errno == ERANGE;  // then `size` is the size needed
    peer.groups.resize(complete || too_small ? size / sizeof(gid_t) : 0);
    if (!too_small) break;
  }
  peer.groups.push_back(credentials.gid);
  return peer;
}

bool may_change(const Peer& peer, uid_t own_user, gid_t own_group) {
  if (peer.uid == 0 || peer.uid == own_user) return true;
  return std::find(peer.groups.begin(), peer.groups.end(), own_group) != peer.groups.end();
}

}  // namespace portsyncd
