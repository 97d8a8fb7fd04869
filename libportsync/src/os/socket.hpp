// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>

// The system calls on sockets that this library makes, as their manual pages describe them: they return -1 and set
// errno on error. The library wraps them so that a program can be linked with replacements, on a simulated system:
// tests/sim/os.
namespace portsync::os {

[[nodiscard]] int socket(int domain, int type, int protocol) noexcept;
[[nodiscard]] int bind(int fd, const sockaddr* address, socklen_t size) noexcept;
[[nodiscard]] int connect(int fd, const sockaddr* address, socklen_t size) noexcept;
int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept;
int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept;
[[nodiscard]] ssize_t send(int fd, const void* data, std::size_t size, int flags) noexcept;
[[nodiscard]] ssize_t recv(int fd, void* data, std::size_t size, int flags) noexcept;
[[nodiscard]] ssize_t recvmsg(int fd, msghdr* message, int flags) noexcept;
[[nodiscard]] int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept;  // without a timeout
// Waits for the events of `sockets`; `timeout` in milliseconds.
[[nodiscard]] int poll(pollfd* sockets, nfds_t count, int timeout) noexcept;

}  // namespace portsync::os
