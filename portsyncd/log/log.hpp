// SPDX-License-Identifier: Apache-2.0
// The log: standard error, the journal, syslog or a file. One thread. The only file that knows the logging library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "log/field.hpp"

namespace portsyncd::log {

enum class Level : std::uint8_t { trace, debug, info, warning, error, critical, off };

inline constexpr std::string_view level_names = "trace, debug, info, warn, error, critical or off";

// Takes the names above, "warning", "err" and "none" too, in any case.
[[nodiscard]] std::optional<Level> parse_level(std::string_view name) noexcept;
[[nodiscard]] const char* to_string(Level level) noexcept;

// Where lines go: logging.target and logging.file.
//   auto     the journal when it reads standard error, else standard error
//   journal  systemd's journal, with priorities
//   syslog   syslog(3), facility daemon
//   stderr   standard error, with timestamps and, on a terminal, colour
//   file     `file`, a regular one, put aside under five numbered names, in turn, whenever it has grown to 10 MiB
struct Destination {
  std::string target = "auto";
  std::string file;
};

// A file that cannot be written any more is given up for standard error, which says so.
//
// Opens another log in the place of the one there was, if any; a file is opened anew, so that one that was moved away
// is let go. Throws std::runtime_error that says what could not be opened and why: then all is as it was.
void open(const Destination& destination);

// Lines below it are dropped. Nothing is written before open(). Level off writes a last line, of the level there was.
void set_level(Level level) noexcept;
[[nodiscard]] Level level() noexcept;

// Ask before a line is put together: a line that is not wanted must cost nothing.
[[nodiscard]] bool enabled(Level level) noexcept;

// One line. Control characters, which a name or an answer of Redis may hold, are shown as '?': nobody forges a line.
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

// Before the process ends because of a fault. The journal then knows whose the last lines are, also when journald is
// busy: `journalctl -u portsyncd` shows them. Waits for 2 s at most.
void finish() noexcept;

}  // namespace portsyncd::log
