// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE row_fields
#include "base/row_fields.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsyncd;

BOOST_AUTO_TEST_CASE(fields_that_a_sink_keeps_for_itself_are_not_shown) {
  BOOST_TEST(is_shown({"mtu", "9100"}));
  BOOST_TEST(!is_shown({"@index", "up"}));
}

BOOST_AUTO_TEST_CASE(a_string_of_json_is_shown_without_its_quotes) {
  BOOST_TEST(shown_value("up") == "up");
  BOOST_TEST(shown_value("\"up\"") == "up");
  BOOST_TEST(shown_value("\"\"") == "");
  BOOST_TEST(shown_value("\"") == "\"");
  BOOST_TEST(shown_value("") == "");
  BOOST_TEST(shown_value("9100") == "9100");
}
