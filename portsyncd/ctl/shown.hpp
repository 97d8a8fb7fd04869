// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace portsyncctl {

// Returns the UTF-8 text with "?" for each control character that a terminal would obey: C0, DEL and C1.
[[nodiscard]] std::string shown(std::string_view text);

// Returns the approximate width in columns: one for each character.
[[nodiscard]] std::size_t width(std::string_view text) noexcept;

}  // namespace portsyncctl
