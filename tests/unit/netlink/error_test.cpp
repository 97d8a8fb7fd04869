// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE netlink_error
#include <netlink/errno.h>

#include <boost/test/unit_test.hpp>
#include <portsync/netlink/link_source.hpp>
#include <string>
#include <system_error>

using portsync::netlink::error_category;

BOOST_AUTO_TEST_CASE(libnl_s_words_are_kept) {
  BOOST_TEST(std::string(error_category().name()) == "libnl");
  for (const int code : {NLE_PERM, NLE_DUMP_INTR, NLE_MSG_TRUNC}) {
    BOOST_TEST(std::error_code(code, error_category()).message() == nl_geterror(code));
  }
}

BOOST_AUTO_TEST_CASE(an_error_that_a_caller_can_act_on_compares_with_errc_whatever_its_category) {
  const auto is = [](int code, std::errc condition) { return std::error_code(code, error_category()) == condition; };
  BOOST_TEST(is(NLE_AF_NOSUPPORT, std::errc::address_family_not_supported));
  BOOST_TEST(is(NLE_PROTO_MISMATCH, std::errc::protocol_not_supported));
  BOOST_TEST(is(NLE_NOMEM, std::errc::not_enough_memory));
  BOOST_TEST(is(NLE_PERM, std::errc::operation_not_permitted));
  BOOST_TEST(is(NLE_NOACCESS, std::errc::permission_denied));
  BOOST_TEST(is(NLE_AGAIN, std::errc::resource_unavailable_try_again));
  BOOST_TEST(is(NLE_INVAL, std::errc::invalid_argument));
}

// libnl has its own error numbers: 1 is "Unspecific failure" and not EPERM.
BOOST_AUTO_TEST_CASE(another_code_is_none_of_errno_s) {
  const std::error_code error(NLE_FAILURE, error_category());
  BOOST_TEST((error != std::errc::operation_not_permitted));
  BOOST_TEST((error.default_error_condition().category() == error_category()));
}
