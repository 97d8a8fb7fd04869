// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace portsyncd {

struct TextFault {
  std::size_t line = 1;
  std::size_t column = 1;  // in bytes
  std::string what;
};

// Returns whether the text is valid UTF-8 (RFC 3629).
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

[[nodiscard]] bool is_control(char c) noexcept;

// Replaces each control character with "?". Messages that show text of others need this, because a terminal would
// obey the characters.
[[nodiscard]] std::string without_control_characters(std::string text);

// Finds text that toml11 must not be given: invalid UTF-8 (3.7 reads past its buffer), control characters (4.4 hangs),
// and nesting or dotted keys so deep that its recursion overflows the stack. Text that passes may still be bad TOML.
[[nodiscard]] std::optional<TextFault> check_text(std::string_view text);

}  // namespace portsyncd
