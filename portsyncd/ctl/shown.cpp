// SPDX-License-Identifier: Apache-2.0
#include "ctl/shown.hpp"

#include <algorithm>

#include "base/text_check.hpp"

namespace portsyncctl {
namespace {

bool is_c1(std::string_view text) noexcept {
  return text.size() >= 2 && text[0] == '\xc2' && static_cast<unsigned char>(text[1]) < 0xa0;
}

}  // namespace

std::string shown(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const bool c1 = is_c1(text);
    safe += c1 || portsyncd::is_control(text[0]) ? '?' : text[0];
    text.remove_prefix(c1 ? 2 : 1);
  }
  return safe;
}

std::size_t width(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

}  // namespace portsyncctl
