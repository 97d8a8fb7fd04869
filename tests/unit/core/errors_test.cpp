// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE errors
#include <boost/test/unit_test.hpp>
#include <portsync/error.hpp>
#include <set>
#include <string>
#include <system_error>

using namespace portsync;

BOOST_AUTO_TEST_CASE(every_condition_has_a_message_of_its_own) {
  std::set<std::string> messages;
  for (int value = 1; value <= static_cast<int>(Errc::closed); ++value) {
    const std::string message = std::error_code(static_cast<Errc>(value)).message();
    BOOST_TEST(message.find("unknown") == std::string::npos, message);
    messages.insert(message);
  }
  BOOST_TEST(messages.size() == static_cast<std::size_t>(Errc::closed));
}

BOOST_AUTO_TEST_CASE(an_error_of_a_newer_library_is_shown_by_its_number) {
  BOOST_TEST(std::error_code(99, error_category()).message() == "unknown error 99");
}

BOOST_AUTO_TEST_CASE(the_category_keeps_them_apart_from_errno) {
  BOOST_TEST(std::string(error_category().name()) == "portsync");
  const std::error_code error = Errc::not_open;
  BOOST_TEST(static_cast<bool>(error));
  BOOST_TEST((error == Errc::not_open));
  BOOST_TEST((error != std::error_code(error.value(), std::system_category())));
}
