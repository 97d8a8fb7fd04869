// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace portsyncctl {

// UTF-8 text with "?" for each character that a terminal would obey: C0, DEL and C1.
[[nodiscard]] std::string shown(std::string_view text);

// How many columns it takes, near enough: one for each character.
[[nodiscard]] std::size_t width(std::string_view text) noexcept;

}  // namespace portsyncctl
