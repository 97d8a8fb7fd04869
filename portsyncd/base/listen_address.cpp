// SPDX-License-Identifier: Apache-2.0
#include "base/listen_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>

namespace portsyncd {
namespace {

bool is_address(int family, const std::string& host) {
  in6_addr room{};  // large enough for both families
  return ::inet_pton(family, host.c_str(), &room) == 1;
}

}  // namespace

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  ListenAddress address;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc() || rest != end || address.port == 0) return std::nullopt;

  std::string_view host = text.substr(0, colon);
  if (host.empty()) return address;
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (in_brackets) host = host.substr(1, host.size() - 2);
  address.family = in_brackets ? ListenAddress::Family::ipv6 : ListenAddress::Family::ipv4;
  address.host = host;
  if (address.host.find('\0') != std::string::npos) return std::nullopt;
  if (!is_address(in_brackets ? AF_INET6 : AF_INET, address.host)) return std::nullopt;
  return address;
}

}  // namespace portsyncd
