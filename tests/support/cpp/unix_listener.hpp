// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string>

#include "os/descriptor.hpp"

namespace portsync::test {

inline sockaddr_un unix_socket_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("path too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

inline os::Descriptor listen_unix(const std::string& path, int backlog = 64) {
  os::Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = unix_socket_address(path);
  ::unlink(path.c_str());
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(listener.get(), backlog) < 0) {
    throw std::runtime_error("cannot listen on " + path);
  }
  return listener;
}

inline os::Descriptor connect_unix(const std::string& path) {
  os::Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = unix_socket_address(path);
  if (::connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) return {};
  ::fcntl(descriptor.get(), F_SETFL, O_NONBLOCK);
  return descriptor;
}

inline os::Descriptor accept_unix(const os::Descriptor& listener) {
  return os::Descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

}  // namespace portsync::test
