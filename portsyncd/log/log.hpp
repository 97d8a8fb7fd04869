// SPDX-License-Identifier: Apache-2.0
// The log: standard error, the journal, syslog or a file. Only one thread may use it. Only the .cpp file uses the
// logging library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "log/field.hpp"

namespace portsyncd::log {

enum class Level : std::uint8_t { trace, debug, info, warning, error, critical, off };

inline constexpr std::string_view level_names = "trace, debug, info, warn, error, critical or off";

// Parses the names above, and also "warning", "err" and "none", in upper or lower case.
[[nodiscard]] std::optional<Level> parse_level(std::string_view name) noexcept;
[[nodiscard]] const char* to_string(Level level) noexcept;

// Where lines go: logging.target and logging.file.
//   auto     the journal if it reads standard error, else standard error
//   journal  systemd's journal, with priorities
//   syslog   syslog(3), facility daemon
//   stderr   standard error, with timestamps and, on a terminal, colour
//   file     `file`, a regular file, which is rotated at 10 MiB; five older files are kept under numbered names
struct Destination {
  std::string target = "auto";
  std::string file;
};

// Opens a log in place of the current one, if any. Opens a file again even if its name is the same, so that a file that
// was moved away is closed. Throws std::runtime_error, which says what could not be opened and why; the current log
// then stays in use.
//
// If a file cannot be written any more, later lines go to standard error. The first of them says so.
void open(const Destination& destination);

// Sets the level. Lines below it are dropped. Nothing is written before open(). Setting `off` writes a last line, with
// the level of before.
void set_level(Level level) noexcept;
[[nodiscard]] Level level() noexcept;

// Returns whether lines of the level are written. Ask before building a line, because an unwanted line must cost
// nothing.
[[nodiscard]] bool enabled(Level level) noexcept;

// Writes one line. Replaces control characters with '?', because a name or a reply of Redis may contain them and could
// forge a line.
void write(Level level, std::string_view text, Fields fields = {}) noexcept;

inline void debug(std::string_view text) noexcept {
  write(Level::debug, text);
}
inline void info(std::string_view text) noexcept {
  write(Level::info, text);
}
inline void warning(std::string_view text) noexcept {
  write(Level::warning, text);
}
inline void error(std::string_view text) noexcept {
  write(Level::error, text);
}

// Waits, for at most 2 s, until journald has read the last lines. Call it before the process ends because of a fault.
// journald can then attribute the lines to the unit even if it is busy, so `journalctl -u portsyncd` shows them.
void finish() noexcept;

}  // namespace portsyncd::log
