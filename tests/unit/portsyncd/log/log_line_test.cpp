// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE log_line
#include "log/log_line.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <limits>

using namespace portsyncd;

BOOST_AUTO_TEST_CASE(words_come_first_and_then_what_was_added_in_its_order) {
  BOOST_TEST(LogLine("Received event").text() == "Received event");
  LogLine line("Received event");
  line.add("port", "Ethernet0").add("mtu", 9100).add("delta", -5);
  BOOST_TEST(line.text() == "Received event port=Ethernet0 mtu=9100 delta=-5");
}

BOOST_AUTO_TEST_CASE(every_integer_has_room) {
  LogLine line("n");
  line.add("most", std::numeric_limits<std::uint64_t>::max()).add("least", std::numeric_limits<std::int64_t>::min());
  BOOST_TEST(line.text() == "n most=18446744073709551615 least=-9223372036854775808");
}

BOOST_AUTO_TEST_CASE(fields_are_beside_the_text) {
  LogLine line("words");
  line.field("PORT", "Ethernet0").field("OLD", "");
  BOOST_TEST(line.text() == "words");
  BOOST_REQUIRE_EQUAL(line.fields().size(), 2U);
  BOOST_TEST(line.fields()[0].name == "PORT");
  BOOST_TEST(line.fields()[0].value == "Ethernet0");
  BOOST_TEST(line.fields()[1].value == "");
}
