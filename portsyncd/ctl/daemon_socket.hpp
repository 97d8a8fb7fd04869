// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace portsyncctl {

// The way to portsyncd, line by line. Throws Error with words for whoever waits for it.
class DaemonSocket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds limit{5};

  explicit DaemonSocket(std::string path);
  DaemonSocket(const DaemonSocket&) = delete;
  DaemonSocket& operator=(const DaemonSocket&) = delete;
  ~DaemonSocket();

  void send(const std::string& line);
  // The answer, within the limit.
  [[nodiscard]] std::string answer();
  // Whatever comes next, whenever; std::nullopt when nobody reads standard output any more.
  [[nodiscard]] std::optional<std::string> event();

 private:
  [[nodiscard]] std::optional<std::string> take_line();
  void read();

  std::string path_;
  int fd_;
  std::string input_;
  std::size_t searched_ = 0;  // of input_: no line ends before
};

}  // namespace portsyncctl
