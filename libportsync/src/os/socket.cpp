// SPDX-License-Identifier: Apache-2.0
#include "os/socket.hpp"

namespace portsync::os {

int socket(int domain, int type, int protocol) noexcept {
  return ::socket(domain, type, protocol);
}

int bind(int fd, const sockaddr* address, socklen_t size) noexcept {
  return ::bind(fd, address, size);
}

int connect(int fd, const sockaddr* address, socklen_t size) noexcept {
  return ::connect(fd, address, size);
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
  return ::getsockopt(fd, level, name, value, size);
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  return ::setsockopt(fd, level, name, value, size);
}

ssize_t send(int fd, const void* data, std::size_t size, int flags) noexcept {
  return ::send(fd, data, size, flags);
}

ssize_t recv(int fd, void* data, std::size_t size, int flags) noexcept {
  return ::recv(fd, data, size, flags);
}

ssize_t recvmsg(int fd, msghdr* message, int flags) noexcept {
  return ::recvmsg(fd, message, flags);
}

int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept {
  return ::recvmmsg(fd, messages, count, flags, nullptr);
}

int poll(pollfd* sockets, nfds_t count, int timeout) noexcept {
  return ::poll(sockets, count, timeout);
}

}  // namespace portsync::os
