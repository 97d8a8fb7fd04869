// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace portsyncd {

// Reads lines from one client of the control socket and writes lines to it. Never blocks. Holds no more input than one
// line that is too long, and no more output than queue() receives.
class ControlConnection {
 public:
  static constexpr std::size_t longest_line = 4096;

  // Takes ownership of the descriptor, which is a non-blocking stream socket.
  explicit ControlConnection(int fd) noexcept : fd_(fd) {}
  ControlConnection(const ControlConnection&) = delete;
  ControlConnection& operator=(const ControlConnection&) = delete;
  ~ControlConnection();

  [[nodiscard]] int fd() const noexcept { return fd_; }

  // Reads the available input, up to one line that is too long. Returns false if no more input will come.
  [[nodiscard]] bool read();
  // Removes the next line from the input that was read. Stores it without its end.
  [[nodiscard]] bool take_line(std::string& line);
  [[nodiscard]] bool has_line() const noexcept { return input_.find('\n') != std::string::npos; }
  void discard_input() noexcept { input_.clear(); }
  // Returns true if the input is longer than a line may be.
  [[nodiscard]] bool is_too_long() const noexcept { return !has_line() && input_.size() > longest_line; }

  void queue(std::string_view text) { output_ += text; }
  // Writes as much as the socket accepts. Returns false if the other end does not read any more.
  [[nodiscard]] bool write();
  [[nodiscard]] std::size_t unsent_bytes() const noexcept { return output_.size() - written_; }

 private:
  int fd_;
  std::string input_;
  std::string output_;
  std::size_t written_ = 0;  // bytes of output_
};

}  // namespace portsyncd
