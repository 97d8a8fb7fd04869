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

// RFC 3629.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

[[nodiscard]] bool is_control(char c) noexcept;

// For a message that shows what somebody else has written: "?" for what a terminal would obey.
[[nodiscard]] std::string without_control_characters(std::string text);

// What toml11 must not be given: invalid UTF-8 (3.7 reads past its buffer), control characters (4.4 hangs), and
// nesting or dotted keys so deep that its recursion leaves the stack. A file without these may still be bad TOML.
[[nodiscard]] std::optional<TextFault> check_text(std::string_view text);

}  // namespace portsyncd
