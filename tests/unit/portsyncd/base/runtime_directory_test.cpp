// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE runtime_directory
#include "base/runtime_directory.hpp"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "support/cpp/temporary_folder.hpp"

using namespace portsyncd;

namespace {

struct Fixture {
  Fixture() : before(::umask(0077)) {}
  ~Fixture() {
    ::umask(before);
    ::unsetenv("RUNTIME_DIRECTORY");
  }

  static void set(const std::string& value) { ::setenv("RUNTIME_DIRECTORY", value.c_str(), 1); }

  portsync::test::TemporaryFolder folder;
  mode_t before;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(it_is_the_first_of_those_that_systemd_sets, Fixture) {
  ::unsetenv("RUNTIME_DIRECTORY");
  BOOST_TEST(runtime_directory() == "");
  set("/run/portsyncd");
  BOOST_TEST(runtime_directory() == "/run/portsyncd");
  set("/run/a:/run/b");
  BOOST_TEST(runtime_directory() == "/run/a");
}

BOOST_FIXTURE_TEST_CASE(every_user_may_enter_it_whatever_the_umask, Fixture) {
  const std::string path = folder.file("made");
  set(path);
  BOOST_TEST(make_runtime_directory() == path);
  const auto status = std::filesystem::status(path);
  BOOST_TEST(std::filesystem::is_directory(status));
  BOOST_TEST((static_cast<unsigned>(status.permissions()) == 0755U));
}

BOOST_FIXTURE_TEST_CASE(one_that_is_there_stays_as_it_is, Fixture) {
  const std::string path = folder.file("there");
  std::filesystem::create_directory(path);
  std::filesystem::permissions(path, std::filesystem::perms(0700));
  set(path);
  BOOST_TEST(make_runtime_directory() == path);
  BOOST_TEST((static_cast<unsigned>(std::filesystem::status(path).permissions()) == 0700U));
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_made_is_named, Fixture) {
  for (const std::string& path : {folder.file("none/below"), folder.write("file", "")}) {
    set(path);
    BOOST_CHECK_EXCEPTION((void)make_runtime_directory(), std::system_error,
                          [&path](const auto& error) { return std::string(error.what()).starts_with(path); });
  }
}
