// SPDX-License-Identifier: Apache-2.0
// The log: standard error, with timestamps, or with the journal's priorities when the journal reads it. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace portsyncd::log {

enum class Level : std::uint8_t { trace, debug, info, warning, error, critical, off };

inline constexpr std::string_view level_names = "trace, debug, info, warn, error, critical or off";

// Takes the names above, "warning", "err" and "none" too, in any case.
[[nodiscard]] std::optional<Level> parse_level(std::string_view name) noexcept;

// Before the first line; throws what memory and files throw. Lines below `level` are dropped.
void open(Level level);
void set_level(Level level) noexcept;

// Ask before a line is put together: a line that is not wanted must cost nothing.
[[nodiscard]] bool enabled(Level level) noexcept;

// One line. Control characters, which a name or an answer of Redis may hold, are shown as '?': nobody forges a line.
void write(Level level, std::string_view text) noexcept;

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

}  // namespace portsyncd::log
