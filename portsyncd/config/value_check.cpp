// SPDX-License-Identifier: Apache-2.0
#include "config/value_check.hpp"

#include <arpa/inet.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>

namespace portsyncd {
namespace {

constexpr std::size_t longest_name = 15;  // IFNAMSIZ - 1

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
}

// Accepts a scope, as in "fe80::1%eth0".
bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, text.substr(0, text.find('%')).c_str(), &address) == 1;
}

// Returns the position after the bracket expression that begins at `at`; npos if it has no end. Follows fnmatch(3): a ]
// in first place stands for itself, a character after a backslash does, too, and [:digit:] is a class.
std::size_t end_of_bracket(std::string_view glob, std::size_t at) {
  ++at;
  if (at < glob.size() && (glob[at] == '!' || glob[at] == '^')) ++at;
  for (const std::size_t first = at; at < glob.size(); ++at) {
    if (glob[at] == ']' && at > first) return at + 1;
    if (glob[at] == '\\') {
      ++at;
    } else if (glob.substr(at, 2) == "[:") {
      const std::size_t end = glob.find(":]", at + 2);
      if (end != std::string_view::npos) at = end + 1;
    }
  }
  return std::string_view::npos;
}

bool matches_some_character(const std::string& bracket) {
  for (int byte = 1; byte < 256; ++byte) {
    const char text[] = {static_cast<char>(byte), '\0'};
    if (::fnmatch(bracket.c_str(), text, 0) == 0) return true;
  }
  return false;
}

}  // namespace

bool is_host(const std::string& text) {
  if (text.find(':') != std::string::npos) return is_ipv6(text);
  return !text.empty() && std::all_of(text.begin(), text.end(), is_name_character);
}

std::string why_nothing_matches(const std::string& glob) {
  std::size_t shortest = 0;  // length of the shortest name that matches
  std::string tail;          // the end of every name that matches
  for (std::size_t at = 0; at < glob.size();) {
    char c = glob[at];
    if (c == '*' || c == '?' || c == '[') {
      tail.clear();
      shortest += c == '*' ? 0 : 1;
      std::size_t end = at + 1;
      if (c == '[') {
        end = end_of_bracket(glob, at);
        if (end == std::string::npos) return "its [ has no ]";
        const std::string bracket = glob.substr(at, end - at);
        if (!matches_some_character(bracket)) return "no character is in " + bracket;
      }
      at = end;
      continue;
    }
    if (c == '\\') {
      if (++at == glob.size()) return "it ends with a backslash";
      c = glob[at];
    }
    if (c == '/' || c == ':' || c == ' ') return std::string("no name of an interface has '") + c + "' in it";
    tail += c;
    ++shortest;
    ++at;
  }
  if (shortest > longest_name) return "a name of an interface has at most 15 characters";
  const std::size_t dot = tail.rfind('.');
  const bool has_id = dot != std::string::npos && dot + 1 < tail.size();
  if (has_id && std::all_of(tail.begin() + static_cast<std::ptrdiff_t>(dot) + 1, tail.end(), is_digit)) {
    return "a sub-interface is never a port";
  }
  return "";
}

std::string_view integer_beyond_64_bits(std::string_view text) {
  const std::string_view whole = text.substr(0, text.find_first_not_of("+-_0123456789abcdefABCDEFxo"));
  if (text.substr(whole.size()).starts_with('.')) return {};  // a float
  std::string digits;
  for (const char c : whole) {
    if (c != '_' && c != '+') digits += c;
  }
  int base = 10;
  if (digits.starts_with("0x") || digits.starts_with("0o") || digits.starts_with("0b")) {
    base = digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : 2;
    digits.erase(0, 2);
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  const bool all = end == digits.data() + digits.size();
  return all && error == std::errc::result_out_of_range ? whole : std::string_view();
}

}  // namespace portsyncd
