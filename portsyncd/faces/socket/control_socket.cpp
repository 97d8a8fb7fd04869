// SPDX-License-Identifier: Apache-2.0
#include "faces/socket/control_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace portsyncd {
namespace {

constexpr int backlog = 16;

[[noreturn]] void fail(int error, const std::string& path) {
  throw std::system_error(error, std::system_category(), path);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) fail(ENAMETOOLONG, path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

int make_socket(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail(errno, path);
  return fd;
}

// Returns true if the socket has a listener, even if its backlog is full.
bool is_live(const std::string& path) {
  const sockaddr_un address = address_of(path);
  const int fd = make_socket(path);
  const bool refused =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno == ECONNREFUSED;
  ::close(fd);
  return !refused;
}

}  // namespace

ControlSocket::ControlSocket(std::string path) : path_(std::move(path)) {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) fail(EEXIST, path_);
    if (is_live(path_)) fail(EADDRINUSE, path_);
    ::unlink(path_.c_str());
  }
  bind();
}

void ControlSocket::bind() {
  const sockaddr_un address = address_of(path_);
  fd_ = make_socket(path_);
  struct stat status {};
  // To connect, a client needs write permission on the file. The unit's umask withholds it, so chmod() grants it.
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::chmod(path_.c_str(), 0666) == 0 && ::lstat(path_.c_str(), &status) == 0 && ::listen(fd_, backlog) == 0) {
    device_ = status.st_dev;
    inode_ = status.st_ino;
    return;
  }
  const int why = errno;
  ::close(fd_);
  fail(why, path_);
}

ControlSocket::~ControlSocket() {
  struct stat status {};
  const bool is_ours = ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
  if (is_ours) ::unlink(path_.c_str());
  ::close(fd_);
}

int ControlSocket::accept() const noexcept {
  return ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

}  // namespace portsyncd
