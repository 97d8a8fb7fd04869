// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace portsyncd {

// Lines to and from one client of the control socket. Never blocks, and holds no more than it is given.
class ControlConnection {
 public:
  static constexpr std::size_t longest_line = 4096;

  // Takes the descriptor, a non-blocking stream socket.
  explicit ControlConnection(int fd) noexcept : fd_(fd) {}
  ControlConnection(const ControlConnection&) = delete;
  ControlConnection& operator=(const ControlConnection&) = delete;
  ~ControlConnection();

  [[nodiscard]] int fd() const noexcept { return fd_; }

  // Reads what has come, up to one line that is too long. False: nothing will come any more.
  [[nodiscard]] bool read();
  // Takes the next line out of what was read, without its end.
  [[nodiscard]] bool take_line(std::string& line);
  [[nodiscard]] bool has_line() const noexcept { return input_.find('\n') != std::string::npos; }
  void discard_input() noexcept { input_.clear(); }
  // More has come than a line may have.
  [[nodiscard]] bool is_too_long() const noexcept { return !has_line() && input_.size() > longest_line; }

  void queue(std::string_view text) { output_ += text; }
  // Writes what it can. False: nobody reads any more.
  [[nodiscard]] bool write();
  [[nodiscard]] std::size_t waiting() const noexcept { return output_.size() - written_; }

 private:
  int fd_;
  std::string input_;
  std::string output_;
  std::size_t written_ = 0;  // of output_
};

}  // namespace portsyncd
