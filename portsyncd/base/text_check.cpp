// SPDX-License-Identifier: Apache-2.0
#include "base/text_check.hpp"

#include <algorithm>

namespace portsyncd {
namespace {

constexpr std::size_t deepest = 64;

TextFault fault(std::string_view text, std::size_t at, std::string what) {
  const std::string_view before = text.substr(0, at);
  const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return {line, at - line_start + 1, std::move(what)};
}

bool is_continuation(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U;
}

// Returns the number of bytes of the character that begins at `at`, 0 if it is not valid UTF-8 (RFC 3629).
std::size_t character_size(std::string_view text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return 1;
  const std::size_t size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
  if (byte < 0xc2 || byte > 0xf4) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(text, at + i)) return 0;
  }
  const auto second = static_cast<unsigned char>(text[at + 1]);
  const bool overlong = (byte == 0xe0 && second < 0xa0) || (byte == 0xf0 && second < 0x90);
  const bool surrogate = byte == 0xed && second > 0x9f;
  const bool too_high = byte == 0xf4 && second > 0x8f;
  return overlong || surrogate || too_high ? 0 : size;
}

bool is_allowed_control(std::string_view text, std::size_t at) {
  const char c = text[at];
  if (c == '\r') return at + 1 < text.size() && text[at + 1] == '\n';
  return c == '\t' || c == '\n';
}

std::optional<TextFault> check_characters(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if ((byte < 0x20 && !is_allowed_control(text, at)) || byte == 0x7f) {
      return fault(text, at, "found a control character, expected text");
    }
    const std::size_t size = character_size(text, at);
    if (size == 0) return fault(text, at, "found bytes that are not UTF-8, expected UTF-8 text");
    at += size;
  }
  return std::nullopt;
}

// Returns the position after the string or comment that begins at `at`. An unclosed string ends with its line or the
// text.
std::size_t skip_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string_view rest = text.substr(at);
  const bool multi_line = rest.size() >= 3 && rest[1] == quote && rest[2] == quote;
  const std::size_t length = multi_line ? 3 : 1;
  for (at += length; at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (text[at] == '\n' && !multi_line) {
      return at;
    } else if (text.substr(at, length) == rest.substr(0, length)) {
      return at + length;
    }
  }
  return text.size();
}

std::optional<TextFault> check_depth(std::string_view text) {
  std::size_t brackets = 0;
  std::size_t dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = skip_string(text, at);
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '[' || c == '{') ++brackets;
    if ((c == ']' || c == '}') && brackets > 0) --brackets;
    if (c == '\n' || c == '=' || c == ',' || c == '[' || c == '{') dots = 0;
    if (c == '.') ++dots;
    if (brackets > deepest) return fault(text, at, "found more than 64 nested brackets, expected fewer");
    if (dots > deepest) return fault(text, at, "found a key of more than 64 parts, expected fewer");
    ++at;
  }
  return std::nullopt;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t size = character_size(text, 0);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

std::string without_control_characters(std::string text) {
  std::replace_if(text.begin(), text.end(), is_control, '?');
  return text;
}

std::optional<TextFault> check_text(std::string_view text) {
  if (auto found = check_characters(text)) return found;
  return check_depth(text);
}

}  // namespace portsyncd
