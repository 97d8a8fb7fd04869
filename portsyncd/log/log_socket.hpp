// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/un.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "log/field.hpp"

namespace portsyncd {

// The socket of a log daemon: of journald, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), or of syslog
// (RFC 3164, facility daemon). Not by sd_journal_sendv(3) and syslog(3): both wait when the daemon does not read, and
// the loop with them. A line that cannot be sent at once is lost, and the next one that can be is preceded by how many
// were.
class LogSocket {
 public:
  enum class Protocol : std::uint8_t { journal, syslog };

  // Where a protocol's daemon listens.
  [[nodiscard]] static std::string_view place(Protocol protocol) noexcept;

  explicit LogSocket(Protocol protocol) noexcept : LogSocket(protocol, place(protocol)) {}
  LogSocket(Protocol protocol, std::string_view path) noexcept;
  LogSocket(const LogSocket&) = delete;
  LogSocket& operator=(const LogSocket&) = delete;
  ~LogSocket();

  [[nodiscard]] Protocol protocol() const noexcept { return protocol_; }

  // Whether somebody takes lines there: an errno, 0 when he does.
  [[nodiscard]] int check() const noexcept;

  // `priority`: syslog's, 0 to 7. Only the journal has fields.
  void send(int priority, std::string_view text, log::Fields fields);

  // Waits until the daemon has read what was sent, for `limit` at most: false when it has not. journald asks /proc for
  // the unit of who has sent a line, and gives the lines of one who has ended by then to nobody.
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
