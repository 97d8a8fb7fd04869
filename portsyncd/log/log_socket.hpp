// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/un.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "log/field.hpp"

namespace portsyncd {

// The socket of a log daemon: of journald with its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), or of syslog
// (RFC 3164, facility daemon). Does not use sd_journal_sendv(3) and syslog(3), because both block the loop when the
// daemon does not read. A line that cannot be sent at once is lost. The number of lost lines is logged before the next
// line that can be sent.
class LogSocket {
 public:
  enum class Protocol : std::uint8_t { journal, syslog };

  // Returns the path where the protocol's daemon listens.
  [[nodiscard]] static std::string_view place(Protocol protocol) noexcept;

  explicit LogSocket(Protocol protocol) noexcept : LogSocket(protocol, place(protocol)) {}
  LogSocket(Protocol protocol, std::string_view path) noexcept;
  LogSocket(const LogSocket&) = delete;
  LogSocket& operator=(const LogSocket&) = delete;
  ~LogSocket();

  [[nodiscard]] Protocol protocol() const noexcept { return protocol_; }

  // Returns 0 if a daemon listens at the path, else an errno.
  [[nodiscard]] int check() const noexcept;

  // Sends a line. `priority` is that of syslog, 0 to 7. Only the journal receives the fields.
  void send(int priority, std::string_view text, log::Fields fields);

  // Waits until the daemon has read all lines, for at most `limit`. Returns false if it has not. This matters before
  // the process ends: journald looks up the sender's unit in /proc and attributes the lines of an ended process to no
  // unit.
  bool wait_until_read(std::chrono::milliseconds limit) const noexcept;

 private:
  [[nodiscard]] std::string make_line(int priority, std::string_view text, log::Fields fields) const;
  [[nodiscard]] bool deliver(const std::string& line) const noexcept;

  sockaddr_un daemon_{};
  Protocol protocol_;
  int fd_;
  std::uint64_t lost_ = 0;
};

}  // namespace portsyncd
