// SPDX-License-Identifier: Apache-2.0
// What is wrong with values that have the right type.
#pragma once

#include <string>
#include <string_view>

namespace portsyncd {

inline constexpr std::string_view host_format = "a host name, an IPv4 or an IPv6 address, without a scheme and a port";

// Whether a resolver could take it. Whether there is such a host is not asked.
[[nodiscard]] bool is_host(const std::string& text);

// Why no name of an interface can match the shell glob; "" = some can.
[[nodiscard]] std::string why_nothing_matches(const std::string& glob);

// The integer that the text of a value begins with, when 64 bits do not hold it; "" = they do, or it is none.
[[nodiscard]] std::string_view integer_beyond_64_bits(std::string_view text);

}  // namespace portsyncd
