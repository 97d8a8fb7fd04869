// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE shown
#include "ctl/shown.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

using namespace portsyncctl;
using namespace std::string_literals;

BOOST_AUTO_TEST_CASE(what_a_terminal_would_obey_is_a_question_mark) {
  BOOST_TEST(shown("a\x1b[31mb") == "a?[31mb");
  BOOST_TEST(shown("\0\n\x7f"s) == "???");
  BOOST_TEST(shown("a\xc2\x9b"
                   "31m") == "a?31m");  // CSI, a C1 control character: two bytes become one question mark
  BOOST_TEST(shown("\xc2\x80\xc2\x9f") == "??");
}

BOOST_AUTO_TEST_CASE(other_characters_stay) {
  BOOST_TEST(shown("Ethernet0 ~") == "Ethernet0 ~");
  BOOST_TEST(shown("\xc2\xa0\xc3\x9b") == "\xc2\xa0\xc3\x9b");  // a no-break space, U+00DB
  BOOST_TEST(shown("\xe2\x82\xac") == "\xe2\x82\xac");
  BOOST_TEST(shown("\xc2") == "\xc2");  // a truncated character
  BOOST_TEST(shown("") == "");
}

BOOST_AUTO_TEST_CASE(a_character_takes_a_column) {
  BOOST_TEST(width("") == 0U);
  BOOST_TEST(width("abc") == 3U);
  BOOST_TEST(width("\xc3\x9b\xe2\x82\xac") == 2U);
}
