// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE listen_address
#include "base/listen_address.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

using namespace portsyncd;

namespace {

// "family host port", or "none".
std::string parsed(std::string_view text) {
  const auto address = parse_listen_address(text);
  if (!address) return "none";
  constexpr const char* names[] = {"ipv4", "ipv6", "all"};
  return std::string(names[static_cast<int>(address->family)]) + " " + address->host + " " +
         std::to_string(address->port);
}

}  // namespace

BOOST_AUTO_TEST_CASE(addresses_of_both_families_and_none) {
  BOOST_TEST(parsed("127.0.0.1:9101") == "ipv4 127.0.0.1 9101");
  BOOST_TEST(parsed("0.0.0.0:1") == "ipv4 0.0.0.0 1");
  BOOST_TEST(parsed("[::1]:9101") == "ipv6 ::1 9101");
  BOOST_TEST(parsed("[::ffff:127.0.0.1]:65535") == "ipv6 ::ffff:127.0.0.1 65535");
  BOOST_TEST(parsed(":9101") == "all  9101");
}

BOOST_AUTO_TEST_CASE(anything_else_is_none) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,
                                      ":"sv,
                                      "9101"sv,
                                      "127.0.0.1"sv,
                                      "127.0.0.1:"sv,
                                      "127.0.0.1:0"sv,
                                      "127.0.0.1:65536"sv,
                                      "127.0.0.1:-1"sv,
                                      "127.0.0.1:+1"sv,
                                      "127.0.0.1: 1"sv,
                                      "127.0.0.1:1 "sv,
                                      "127.0.0.1:9101s"sv,
                                      "127.0.0.1:9101,127.0.0.1:9102"sv,
                                      "127.0.0.256:1"sv,
                                      "127.1:1"sv,
                                      "localhost:9101"sv,
                                      "*:9101"sv,
                                      "+9101"sv,
                                      "+:9101"sv,
                                      "::1:9101"sv,
                                      "[::1]"sv,
                                      "[::1]9101"sv,
                                      "[]:9101"sv,
                                      "[:9101"sv,
                                      "]:9101"sv,
                                      "[127.0.0.1]:9101"sv,
                                      "[fe80::1%eth0]:9101"sv,
                                      "127.0.0.1\0:9101"sv,
                                      "[::1\0]:9101"sv,
                                      "0x7f000001:1"sv,
                                      "http://127.0.0.1:9101"sv}) {
    BOOST_TEST(parsed(text) == "none", text);
  }
}
