// SPDX-License-Identifier: Apache-2.0
// Checks of values that have the right type.
#pragma once

#include <string>
#include <string_view>

namespace portsyncd {

inline constexpr std::string_view host_format = "a host name, an IPv4 or an IPv6 address, without a scheme and a port";

// Returns whether a resolver would accept the text. Does not check that the host exists.
[[nodiscard]] bool is_host(const std::string& text);

// Returns why the shell glob can match no interface name; "" = it can match some.
[[nodiscard]] std::string why_nothing_matches(const std::string& glob);

// Returns the integer at the beginning of the text if it does not fit into 64 bits. Returns "" if it fits or is not an
// integer.
[[nodiscard]] std::string_view integer_beyond_64_bits(std::string_view text);

}  // namespace portsyncd
