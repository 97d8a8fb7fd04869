// SPDX-License-Identifier: Apache-2.0
#include "os/socket.hpp"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "sim/machine.hpp"

namespace portsync::os {
namespace {

using sim::Machine;
using sim::NetlinkSocket;
using sim::result;
using sim::StreamSocket;

// "10.0.0.1:6379", "[::1]:6379", or the path of a unix socket.
std::string text(const sockaddr* address) {
  char host[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_UNIX) return reinterpret_cast<const sockaddr_un*>(address)->sun_path;
  if (address->sa_family == AF_INET) {
    const auto* inet = reinterpret_cast<const sockaddr_in*>(address);
    ::inet_ntop(AF_INET, &inet->sin_addr, host, sizeof host);
    return std::string(host) + ":" + std::to_string(ntohs(inet->sin_port));
  }
  const auto* inet6 = reinterpret_cast<const sockaddr_in6*>(address);
  ::inet_ntop(AF_INET6, &inet6->sin6_addr, host, sizeof host);
  return "[" + std::string(host) + "]:" + std::to_string(ntohs(inet6->sin6_port));
}

std::shared_ptr<NetlinkSocket> netlink(int fd) {
  return std::dynamic_pointer_cast<NetlinkSocket>(Machine::current().world.file(fd));
}

std::shared_ptr<StreamSocket> stream(int fd) {
  return std::dynamic_pointer_cast<StreamSocket>(Machine::current().world.file(fd));
}

void fill_sender(msghdr& header, std::uint32_t port) {
  if (header.msg_name == nullptr) return;
  sockaddr_nl sender{};
  sender.nl_family = AF_NETLINK;
  sender.nl_pid = port;
  std::memcpy(header.msg_name, &sender, std::min<std::size_t>(header.msg_namelen, sizeof sender));
  header.msg_namelen = sizeof sender;
}

// Receives one datagram. Returns its full size if MSG_TRUNC is among the flags.
ssize_t receive_datagram(NetlinkSocket& socket, msghdr& header, int flags) {
  const auto received = socket.receive(static_cast<std::byte*>(header.msg_iov->iov_base), header.msg_iov->iov_len,
                                       (flags & MSG_DONTWAIT) == 0 && !socket.non_blocking);
  if (received.size < 0) return received.size;
  fill_sender(header, received.sender);
  header.msg_flags = received.full_size > header.msg_iov->iov_len ? MSG_TRUNC : 0;
  return (flags & MSG_TRUNC) != 0 ? static_cast<ssize_t>(received.full_size) : received.size;
}

bool interrupted(sim::World& world) {
  return world.fails(world.faults.interrupted);
}

}  // namespace

int socket(int domain, int type, int) noexcept {
  Machine& machine = Machine::current();
  machine.world.enter("socket");
  if (domain != AF_NETLINK) return result(machine.world.open(std::make_shared<StreamSocket>(machine.network)));
  auto socket = std::make_shared<NetlinkSocket>(machine.kernel);
  socket->non_blocking = (type & SOCK_NONBLOCK) != 0;
  return result(machine.world.open(std::move(socket)));
}

int bind(int fd, const sockaddr*, socklen_t) noexcept {
  Machine::current().world.enter("bind");
  const auto socket = netlink(fd);
  return result(socket ? socket->bind() : -EBADF);
}

int connect(int fd, const sockaddr* address, socklen_t) noexcept {
  Machine::current().world.enter("connect");
  const auto socket = stream(fd);
  return result(socket ? socket->connect(text(address), address->sa_family == AF_UNIX) : -EBADF);
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
  Machine::current().world.enter("getsockopt");
  if (const auto socket = netlink(fd)) return result(socket->get_option(level, name, value, *size));
  const auto socket = stream(fd);
  if (!socket || level != SOL_SOCKET || name != SO_ERROR) return result(-ENOPROTOOPT);
  const int error = socket->take_error();
  std::memcpy(value, &error, sizeof error);
  return 0;
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  Machine::current().world.enter("setsockopt");
  if (const auto socket = netlink(fd)) {
    int number = 0;
    std::memcpy(&number, value, std::min<std::size_t>(size, sizeof number));
    return result(socket->set_option(level, name, number));
  }
  const auto socket = stream(fd);
  if (!socket) return result(-EBADF);
  if (level == SOL_SOCKET && name == SO_LINGER) socket->reset_on_close();
  return 0;
}

ssize_t send(int fd, const void* data, std::size_t size, int) noexcept {
  sim::World& world = Machine::current().world;
  world.enter("send");
  if (interrupted(world)) return result<ssize_t>(-EINTR);
  if (const auto socket = netlink(fd)) return result(socket->send(static_cast<const std::byte*>(data), size));
  const auto socket = stream(fd);
  if (!socket) return result<ssize_t>(-EBADF);
  const ssize_t sent = socket->send({static_cast<const char*>(data), size});
  if (sent > 0) world.counters.bytes += static_cast<std::uint64_t>(sent);
  return result(sent);
}

ssize_t recv(int fd, void* data, std::size_t size, int flags) noexcept {
  if (netlink(fd)) {
    iovec part{data, size};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    return os::recvmsg(fd, &header, flags);
  }
  sim::World& world = Machine::current().world;
  world.enter("recv");
  if (interrupted(world)) return result<ssize_t>(-EINTR);
  const auto socket = stream(fd);
  if (!socket) return result<ssize_t>(-EBADF);
  const ssize_t taken = socket->receive(static_cast<char*>(data), size);
  if (taken > 0) world.counters.bytes += static_cast<std::uint64_t>(taken);
  return result(taken);
}

ssize_t recvmsg(int fd, msghdr* message, int flags) noexcept {
  sim::World& world = Machine::current().world;
  world.enter("recvmsg");
  if (interrupted(world)) return result<ssize_t>(-EINTR);
  const auto socket = netlink(fd);
  if (!socket) return result<ssize_t>(-EBADF);
  const ssize_t size = receive_datagram(*socket, *message, flags);
  if (size > 0) world.counters.bytes += static_cast<std::uint64_t>(size);
  return result(size);
}

// An error after the first datagram becomes the error of the next call.
int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags) noexcept {
  sim::World& world = Machine::current().world;
  world.enter("recvmmsg");
  if (interrupted(world)) return result(-EINTR);
  const auto socket = netlink(fd);
  if (!socket) return result(-EBADF);
  unsigned received = 0;
  for (; received < count; ++received) {
    if (received > 0 && (socket->ready() & (EPOLLIN | EPOLLERR)) != EPOLLIN) break;
    const ssize_t size = receive_datagram(*socket, messages[received].msg_hdr, flags);
    if (size < 0) return result(static_cast<int>(size));
    messages[received].msg_len = static_cast<unsigned>(size);
    world.counters.bytes += static_cast<std::uint64_t>(size);
  }
  return static_cast<int>(received);
}

int poll(pollfd* sockets, nfds_t count, int timeout) noexcept {
  sim::World& world = Machine::current().world;
  world.enter("poll");
  const sim::Time end = world.now() + timeout * sim::millisecond;
  for (;;) {
    int found = 0;
    for (nfds_t i = 0; i < count; ++i) {
      const std::shared_ptr<sim::File> file = world.file(sockets[i].fd);
      const std::uint32_t events = file ? file->ready() : EPOLLERR;
      sockets[i].revents = static_cast<short>(events & (static_cast<std::uint32_t>(sockets[i].events) | EPOLLERR | EPOLLHUP));
      found += sockets[i].revents != 0 ? 1 : 0;
    }
    if (found > 0) return found;
    if (world.now() >= end) return 0;
    if (interrupted(world)) return result(-EINTR);
    world.block("poll", std::min(end, world.now() + sim::millisecond));
  }
}

}  // namespace portsync::os
