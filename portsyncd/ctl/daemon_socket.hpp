// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace portsyncctl {

// A connection to portsyncd that carries lines. Throws Error, whose text is for the user.
class DaemonSocket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds limit{5};

  explicit DaemonSocket(std::string path);
  DaemonSocket(const DaemonSocket&) = delete;
  DaemonSocket& operator=(const DaemonSocket&) = delete;
  ~DaemonSocket();

  void send(const std::string& line);
  // Waits for the reply and returns it. Throws Error if it takes longer than the limit.
  [[nodiscard]] std::string answer();
  // Waits for the next line without a limit. Returns std::nullopt when standard output has lost its reader.
  [[nodiscard]] std::optional<std::string> event();

 private:
  [[nodiscard]] std::optional<std::string> take_line();
  void read();

  std::string path_;
  int fd_;
  std::string input_;
  std::size_t searched_ = 0;  // offset in input_; no line ends before it
};

}  // namespace portsyncctl
