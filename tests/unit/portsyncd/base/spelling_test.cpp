// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE spelling
#include "base/spelling.hpp"

#include <boost/test/unit_test.hpp>
#include <initializer_list>
#include <string>
#include <string_view>

using namespace portsyncd;

namespace {

std::string nearest(std::string_view written, std::initializer_list<std::string_view> known) {
  NearestName meant(written);
  std::string found;
  for (const std::string_view name : known) {
    if (meant.consider(name)) found = name;
  }
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_slip_of_the_pen_finds_its_name) {
  BOOST_TEST(nearest("redis_prot", {"redis_host", "redis_port"}) == "redis_port");
  BOOST_TEST(nearest("lvel", {"level", "target"}) == "level");     // a missing letter
  BOOST_TEST(nearest("levell", {"level", "target"}) == "level");   // an additional letter
  BOOST_TEST(nearest("targat", {"level", "target"}) == "target");  // a wrong letter
  BOOST_TEST(nearest("level", {"levels", "level"}) == "level");    // an exact match is nearest
}

BOOST_AUTO_TEST_CASE(a_short_name_may_be_two_letters_off_and_a_long_one_a_third) {
  BOOST_TEST(nearest("abcd", {"abxy"}) == "abxy");
  BOOST_TEST(nearest("abcd", {"axyz"}) == "");
  BOOST_TEST(nearest("abcdefghijkl", {"abcdefghwxyz"}) == "abcdefghwxyz");  // 4 of 12 letters differ
  BOOST_TEST(nearest("abcdefghijkl", {"abcdefgvwxyz"}) == "");              // 5 of 12 letters differ
}

BOOST_AUTO_TEST_CASE(of_two_that_are_as_near_the_first_is_meant) {
  BOOST_TEST(nearest("cat", {"bat", "hat"}) == "bat");
}

BOOST_AUTO_TEST_CASE(a_handicap_counts_as_letters) {
  NearestName meant("match");
  BOOST_TEST(meant.consider("watch", 1));
  BOOST_TEST(!meant.consider("patch", 1));
  BOOST_TEST(meant.consider("latch"));
  NearestName other("match");
  BOOST_TEST(!other.consider("watch", 2));
}

BOOST_AUTO_TEST_CASE(what_is_longer_than_any_key_is_compared_with_none) {
  const std::string longest(64, 'a');
  const std::string longer(65, 'a');
  BOOST_TEST(nearest(longest, {longest}) == longest);
  BOOST_TEST(nearest(longer, {longest}) == "");
  BOOST_TEST(nearest(longest, {longer}) == "");
  BOOST_TEST(nearest("", {"ab"}) == "ab");
  BOOST_TEST(nearest("", {"abc"}) == "");
}
