// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE text_check
#include "base/text_check.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>

using namespace portsyncd;
using namespace std::string_literals;

namespace {

std::string repeated(std::string_view text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

// Returns "line:column: what", or "" if the text has no fault.
std::string fault(const std::string& text) {
  const auto found = check_text(text);
  return found ? std::to_string(found->line) + ":" + std::to_string(found->column) + ": " + found->what : "";
}

}  // namespace

BOOST_AUTO_TEST_CASE(utf8_is_what_rfc_3629_says) {
  for (const auto* text : {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbf",
                           "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    BOOST_TEST(is_utf8(text));
  }
  BOOST_TEST(is_utf8("\0"s));
}

BOOST_AUTO_TEST_CASE(overlong_surrogate_too_high_cut_and_stray_bytes_are_not_utf8) {
  for (const auto* text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff", "\xc2", "\xe2\x82", "\xf0\x9f\x98", "a\xc2z"}) {
    BOOST_TEST(!is_utf8(text));
  }
}

BOOST_AUTO_TEST_CASE(control_characters_are_those_that_a_terminal_obeys) {
  BOOST_TEST(is_control('\0'));
  BOOST_TEST(is_control('\x1b'));
  BOOST_TEST(is_control('\n'));
  BOOST_TEST(is_control('\x7f'));
  BOOST_TEST(!is_control(' '));
  BOOST_TEST(!is_control('~'));
  BOOST_TEST(!is_control('\xc2'));
  BOOST_TEST(without_control_characters("a\x1b[31mb\r\nc\tÄ") == "a?[31mb??c?Ä");
}

BOOST_AUTO_TEST_CASE(a_file_may_have_tabs_and_both_kinds_of_line_ends) {
  BOOST_TEST(fault("") == "");
  BOOST_TEST(fault("a = 1\t# x\nb = 'ü'\r\n") == "");
}

BOOST_AUTO_TEST_CASE(a_fault_is_named_with_its_place) {
  BOOST_TEST(fault("a = 1\nbc\x01") == "2:3: found a control character, expected text");
  BOOST_TEST(fault("a\rb") == "1:2: found a control character, expected text");  // a lone CR does not end a line
  BOOST_TEST(fault("a\r") == "1:2: found a control character, expected text");
  BOOST_TEST(fault("\x7f") == "1:1: found a control character, expected text");
  BOOST_TEST(fault("x\n\ny = \"\xff\"") == "3:6: found bytes that are not UTF-8, expected UTF-8 text");
}

BOOST_AUTO_TEST_CASE(brackets_are_nested_64_deep_and_no_deeper) {
  BOOST_TEST(fault("a = " + repeated("[", 64)) == "");
  BOOST_TEST(fault("a = " + repeated("[{", 33)) == "1:69: found more than 64 nested brackets, expected fewer");
  BOOST_TEST(fault("a = " + repeated("[]", 100)) == "");
  BOOST_TEST(fault(repeated("]", 100) + repeated("[", 64)) == "");  // unmatched closing brackets do not count
}

BOOST_AUTO_TEST_CASE(a_key_has_64_dots_and_no_more) {
  BOOST_TEST(fault(repeated("a.", 64) + "a = 1") == "");
  BOOST_TEST(fault(repeated("a.", 65) + "a = 1") == "1:130: found a key of more than 64 parts, expected fewer");
  BOOST_TEST(fault(repeated("a = 1.5\n", 100)) == "");
  BOOST_TEST(fault("a = [" + repeated("1.5, ", 100) + "]") == "");
}

BOOST_AUTO_TEST_CASE(what_stands_in_strings_and_comments_is_not_counted) {
  const std::string deep = repeated("[", 100);
  BOOST_TEST(fault("a = \"" + deep + "\"") == "");
  BOOST_TEST(fault("a = '" + deep + "'") == "");
  BOOST_TEST(fault("# " + deep + "\na = 1") == "");
  BOOST_TEST(fault("a = \"\"\"\n\"" + deep + "\n\"\"\"") == "");
  BOOST_TEST(fault("a = '''\n'" + deep + "\n'''") == "");
  BOOST_TEST(fault("a = \"\\\"" + deep + "\"") == "");  // an escaped quote does not end it
}

BOOST_AUTO_TEST_CASE(a_string_that_is_not_closed_ends_with_its_line) {
  BOOST_TEST(fault("a = \"x\n" + repeated("[", 65)) == "2:65: found more than 64 nested brackets, expected fewer");
  BOOST_TEST(fault("a = '\\'" + repeated("[", 65)) == "1:72: found more than 64 nested brackets, expected fewer");
  BOOST_TEST(fault("a = \"\"\"" + repeated("[", 65)) == "");
  BOOST_TEST(fault("a = \"\\") == "");
}
