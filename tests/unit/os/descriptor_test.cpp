// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE descriptor
#include "os/descriptor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <utility>

using portsync::os::Descriptor;

namespace {

int make() {
  const int fd = ::dup(STDERR_FILENO);
  BOOST_REQUIRE(fd >= 0);
  return fd;
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

}  // namespace

BOOST_AUTO_TEST_CASE(it_is_closed_with_its_owner) {
  const int fd = make();
  {
    const Descriptor owner(fd);
    BOOST_TEST(owner.get() == fd);
    BOOST_TEST(static_cast<bool>(owner));
    BOOST_TEST(is_open(fd));
  }
  BOOST_TEST(!is_open(fd));
}

BOOST_AUTO_TEST_CASE(none_is_no_descriptor) {
  const Descriptor none;
  BOOST_TEST(none.get() == -1);
  BOOST_TEST(!static_cast<bool>(none));
  const Descriptor failed(-1);
  BOOST_TEST(!static_cast<bool>(failed));
}

BOOST_AUTO_TEST_CASE(another_one_takes_its_place_and_the_old_one_is_closed) {
  const int first = make();
  const int second = make();
  Descriptor owner(first);
  owner.reset(second);
  BOOST_TEST(!is_open(first));
  BOOST_TEST(owner.get() == second);
  owner.reset();
  BOOST_TEST(!is_open(second));
  BOOST_TEST(owner.get() == -1);
}

BOOST_AUTO_TEST_CASE(it_moves_and_has_one_owner) {
  const int fd = make();
  Descriptor first(fd);
  Descriptor second(std::move(first));
  BOOST_TEST(first.get() == -1);  // NOLINT: the moved-from object
  BOOST_TEST(second.get() == fd);
  const int other = make();
  Descriptor third(other);
  third = std::move(second);
  BOOST_TEST(!is_open(other));
  BOOST_TEST(third.get() == fd);
  BOOST_TEST(is_open(fd));
}
