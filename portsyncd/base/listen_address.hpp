// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace portsyncd {

// An address in the form of metrics.listen. Numeric only, because a name needs a resolver and may have several
// addresses.
struct ListenAddress {
  enum class Family : std::uint8_t { ipv4, ipv6, all };  // all: every address of this machine, of both families
  Family family = Family::all;
  std::string host;  // without brackets; "" for all
  std::uint16_t port = 0;
};

inline constexpr std::string_view listen_address_format =
    "an address and a port such as \"127.0.0.1:9101\" or \"[::1]:9101\", \":9101\" for all addresses, or \"\"";

// Parses the address. Returns std::nullopt if the text is not one.
[[nodiscard]] std::optional<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace portsyncd
