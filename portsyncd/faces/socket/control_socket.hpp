// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

namespace portsyncd {

inline constexpr const char* control_socket_name = "control.sock";

// A listening unix stream socket that every user may connect to. Its file exists as long as this object.
class ControlSocket {
 public:
  // Binds and listens. Replaces a socket file that has no listener any more. Throws std::system_error, which names the
  // path; the error is address_in_use if the file has a listener.
  explicit ControlSocket(std::string path);
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;
  ~ControlSocket();

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  // Accepts a client and returns its non-blocking descriptor. Returns -1 and sets errno if none has connected or on
  // error.
  [[nodiscard]] int accept() const noexcept;

 private:
  void bind();

  std::string path_;
  int fd_ = -1;
  dev_t device_ = 0;  // of the file, to recognise it
  ino_t inode_ = 0;
};

}  // namespace portsyncd
