// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE table
#include "ctl/table.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsyncctl;

BOOST_AUTO_TEST_CASE(columns_are_as_wide_as_their_widest_cell) {
  Table table({"NAME", ">N", "LAST"});
  table.add({{"a"}, {"1"}, {"x"}});
  table.add({{"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"}, {"100"}, {"y"}});
  BOOST_TEST(table.text(false) ==
             "NAME     N  LAST\n"
             "a        1  x\n"
             "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9  100  y\n");
}

BOOST_AUTO_TEST_CASE(empty_headings_are_no_line) {
  Table table({"", ">"});
  table.add({{"a"}, {"1"}});
  table.add({{"bc"}, {"10"}});
  BOOST_TEST(table.text(false) == "a    1\nbc  10\n");
  BOOST_TEST(Table({"", ""}).text(false) == "");
}

BOOST_AUTO_TEST_CASE(colour_does_not_move_a_column) {
  Table table({"", ""});
  table.add({{"up", Colour::green}, {"x"}});
  table.add({{"longer"}, {"y"}});
  BOOST_TEST(table.text(true) == "\x1b[32mup\x1b[0m      x\nlonger  y\n");
}

BOOST_AUTO_TEST_CASE(colour_is_not_counted_and_only_where_it_is_wanted) {
  Table table({"A", "B"});
  table.add({{"up", Colour::green}, {"x"}});
  BOOST_TEST(table.text(false) == "A   B\nup  x\n");
  BOOST_TEST(table.text(true) == "\x1b[1mA\x1b[0m   \x1b[1mB\x1b[0m\n\x1b[32mup\x1b[0m  x\n");
}

BOOST_AUTO_TEST_CASE(each_colour_begins_with_its_sequence_and_ends_with_the_terminal_s_own) {
  BOOST_TEST(paint("x", Colour::none) == "x");
  BOOST_TEST(paint("x", Colour::bold) == "\x1b[1mx\x1b[0m");
  BOOST_TEST(paint("x", Colour::red) == "\x1b[31mx\x1b[0m");
  BOOST_TEST(paint("x", Colour::green) == "\x1b[32mx\x1b[0m");
  BOOST_TEST(paint("x", Colour::yellow) == "\x1b[33mx\x1b[0m");
}
