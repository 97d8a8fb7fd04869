// SPDX-License-Identifier: Apache-2.0
#include "journal.hpp"

#ifdef PORTSYNCD_HAVE_SYSTEMD
// The lines are ours, not this file's: no CODE_FILE=, CODE_LINE= and CODE_FUNC=.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <string>
#endif

namespace portsyncd::journal {

#ifdef PORTSYNCD_HAVE_SYSTEMD

bool available() noexcept {
  return ::access("/run/systemd/journal/socket", W_OK) == 0;
}

void send(int priority, std::string_view text) {
  std::string message = "MESSAGE=";
  message += text;
  std::string level = "PRIORITY=" + std::to_string(priority);
  std::string identifier = "SYSLOG_IDENTIFIER=portsyncd";
  const auto part = [](std::string& line) { return iovec{line.data(), line.size()}; };
  const iovec parts[] = {part(message), part(level), part(identifier)};
  (void)sd_journal_sendv(parts, 3);
}

#else

bool available() noexcept {
  return false;
}

void send(int, std::string_view) {}

#endif

}  // namespace portsyncd::journal
