// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/un.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "log.hpp"

namespace portsyncd {

// systemd's journal, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL). Not by sd_journal_sendv(3): that
// waits when journald does not read, and nobody can ask its socket before. A line that cannot be sent at once is lost,
// and the next one that can be is preceded by how many were.
class Journal {
 public:
  // A journal takes lines on this system.
  [[nodiscard]] static bool available() noexcept;

  static constexpr std::string_view default_path = "/run/systemd/journal/socket";

  explicit Journal(std::string_view path = default_path) noexcept;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  // `priority`: syslog's, 0 to 7.
  void send(int priority, std::string_view text, log::Fields fields);

  // Waits until journald has read what was sent, for `limit` at most: false when it has not. journald asks /proc for
  // the unit of who has sent a line, and gives the lines of one who has ended by then to nobody.
  bool wait_until_read(std::chrono::milliseconds limit) const noexcept;

 private:
  [[nodiscard]] bool deliver(const std::string& entry) const noexcept;

  sockaddr_un journald_{};
  int fd_;
  std::uint64_t lost_ = 0;
};

}  // namespace portsyncd
