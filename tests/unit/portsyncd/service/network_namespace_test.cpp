// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE network_namespace
#include "service/network_namespace.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "support/cpp/temporary_folder.hpp"

using namespace portsyncd;
using portsync::test::TemporaryFolder;

BOOST_AUTO_TEST_CASE(a_name_that_goes_or_leads_elsewhere_is_lost_until_it_leads_back) {
  const TemporaryFolder folder;
  const std::string name = folder.file("asic0");
  std::filesystem::create_symlink("/proc/self/ns/net", name);
  const NetworkNamespace names(name);
  BOOST_TEST(names.has_name());
  BOOST_TEST(!names.has_lost_its_name());
  std::filesystem::remove(name);
  BOOST_TEST(names.has_lost_its_name());
  std::filesystem::create_symlink("/proc/self/ns/mnt", name);
  BOOST_TEST(names.has_lost_its_name());
  std::filesystem::remove(name);
  std::filesystem::create_symlink("/proc/self/ns/net", name);
  BOOST_TEST(!names.has_lost_its_name());
}

BOOST_AUTO_TEST_CASE(a_name_that_never_led_to_the_own_namespace_is_not_lost) {
  const TemporaryFolder folder;
  const NetworkNamespace absent(folder.file("asic0"));
  const NetworkNamespace other(folder.write("asic1", ""));
  const NetworkNamespace unknown(folder.file("asic2"), folder.file("none"));  // no /proc
  std::filesystem::remove(folder.file("asic1"));
  for (const NetworkNamespace* each : {&absent, &other, &unknown})
    BOOST_TEST(!(each->has_name() || each->has_lost_its_name()));
}
