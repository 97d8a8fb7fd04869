// SPDX-License-Identifier: Apache-2.0
#include "faces/socket/control_connection.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace portsyncd {

ControlConnection::~ControlConnection() {
  ::close(fd_);
}

bool ControlConnection::read() {
  std::array<char, longest_line + 1> bytes{};
  while (input_.size() <= longest_line) {
    const ssize_t size = ::recv(fd_, bytes.data(), bytes.size() - input_.size(), 0);
    if (size == 0) return false;
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    input_.append(bytes.data(), static_cast<std::size_t>(size));
  }
  return true;
}

bool ControlConnection::take_line(std::string& line) {
  const std::size_t end = input_.find('\n');
  if (end == std::string::npos) return false;
  line.assign(input_, 0, end);
  input_.erase(0, end + 1);
  return true;
}

bool ControlConnection::write() {
  while (unsent_bytes() > 0) {
    const ssize_t size = ::send(fd_, output_.data() + written_, unsent_bytes(), MSG_NOSIGNAL);
    if (size < 0) {
      output_.erase(0, written_);
      written_ = 0;
      return errno == EAGAIN || errno == EINTR;
    }
    written_ += static_cast<std::size_t>(size);
  }
  output_ = {};  // frees the memory of a long reply
  written_ = 0;
  return true;
}

}  // namespace portsyncd
