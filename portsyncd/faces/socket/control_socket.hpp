// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

namespace portsyncd {

inline constexpr const char* control_socket_name = "control.sock";

// A listening unix stream socket that everybody may connect to. Its file is there for as long as this lives.
class ControlSocket {
 public:
  // A file that nobody listens at any more is replaced. Throws std::system_error that names the path: address_in_use
  // when somebody does.
  explicit ControlSocket(std::string path);
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;
  ~ControlSocket();

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  // The descriptor of who has connected, non-blocking; -1 when nobody has, or errno says what it says.
  [[nodiscard]] int accept() const noexcept;

 private:
  void bind();

  std::string path_;
  int fd_ = -1;
  dev_t device_ = 0;  // the file's, to know it again
  ino_t inode_ = 0;
};

}  // namespace portsyncd
