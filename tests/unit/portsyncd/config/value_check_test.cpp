// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE value_check
#include "config/value_check.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsyncd;

BOOST_AUTO_TEST_CASE(a_host_is_a_name_or_an_address_without_a_scheme_and_a_port) {
  for (const char* good :
       {"localhost", "redis-1.example.org", "a_b", "127.0.0.1", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"}) {
    BOOST_TEST(is_host(good), good);
  }
  for (const char* bad : {"", "127.0.0.1:6380", "redis://127.0.0.1", "localhost:6379", "[::1]", "[::1]:6379", "a b",
                          "/run/redis", "user@host", "::1:x"}) {
    BOOST_TEST(!is_host(bad), bad);
  }
}

BOOST_AUTO_TEST_CASE(a_glob_that_can_match_is_left_alone) {
  for (const char* good :
       {"Ethernet*", "Ethernet[0-9]", "Ethernet[0-9]*", "[]a]*", "[!]a]*", "eth?", "\\[a", "Ethernet[[:digit:]]*", "*",
        "Ethernet-BP*", "Ethernet*.x", "Ethernet.", "abcdefghijklmno", "abcdefghijklmno*", "[a\\]]b"}) {
    BOOST_TEST(why_nothing_matches(good) == "", good);
  }
}

BOOST_AUTO_TEST_CASE(a_glob_that_cannot_match_says_why) {
  BOOST_TEST(why_nothing_matches("Ethernet[0-9") == "its [ has no ]");
  BOOST_TEST(why_nothing_matches("Ethernet[]") == "its [ has no ]");
  BOOST_TEST(why_nothing_matches("Ethernet[9-0]") == "no character is in [9-0]");
  BOOST_TEST(why_nothing_matches("Ethernet\\") == "it ends with a backslash");
  BOOST_TEST(why_nothing_matches("Ethernet1/1") == "no name of an interface has '/' in it");
  BOOST_TEST(why_nothing_matches("Ethernet0, Ethernet4") == "no name of an interface has ' ' in it");
  BOOST_TEST(why_nothing_matches("abcdefghijklmnop*") == "a name of an interface has at most 15 characters");
  BOOST_TEST(why_nothing_matches("Ethernet*.10") == "a sub-interface is never a port");
}

BOOST_AUTO_TEST_CASE(an_integer_that_64_bits_do_not_hold_is_given_back_as_it_stands) {
  BOOST_TEST(integer_beyond_64_bits("99999999999999999999 # ports") == "99999999999999999999");
  BOOST_TEST(integer_beyond_64_bits("-9_223_372_036_854_775_809") == "-9_223_372_036_854_775_809");
  BOOST_TEST(integer_beyond_64_bits("0xffffffffffffffff") == "0xffffffffffffffff");
  BOOST_TEST(integer_beyond_64_bits("9223372036854775807") == "");
  BOOST_TEST(integer_beyond_64_bits("-9223372036854775808") == "");
  BOOST_TEST(integer_beyond_64_bits("99999999999999999999.5") == "");
  BOOST_TEST(integer_beyond_64_bits("1e400") == "");
  BOOST_TEST(integer_beyond_64_bits("true") == "");
  BOOST_TEST(integer_beyond_64_bits("") == "");
}
