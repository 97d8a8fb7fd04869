// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE regular_file
#include "base/regular_file.hpp"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include "support/cpp/temporary_folder.hpp"

using namespace portsyncd;

namespace {

struct Fixture {
  portsync::test::TemporaryFolder folder;

  // Returns the text of the exception that reading the file throws.
  [[nodiscard]] static std::string refusal(const std::string& path) {
    try {
      (void)read_regular_file(path, 16);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_file_is_read_whole_up_to_its_limit, Fixture) {
  BOOST_TEST(read_regular_file(folder.write("empty", ""), 16) == "");
  BOOST_TEST(read_regular_file(folder.write("sixteen", std::string(16, 'x')), 16) == std::string(16, 'x'));
  const std::string path = folder.write("seventeen", std::string(17, 'x'));
  BOOST_TEST(refusal(path) == path + ": longer than 16 bytes");
  const std::string large = folder.write("large", std::string(100'000, 'y'));
  BOOST_TEST(read_regular_file(large, 100'000).size() == 100'000U);  // more than one read
}

BOOST_FIXTURE_TEST_CASE(a_link_to_a_file_is_the_file, Fixture) {
  std::filesystem::create_symlink(folder.write("file", "text"), folder.file("link"));
  BOOST_TEST(read_regular_file(folder.file("link"), 16) == "text");
}

BOOST_FIXTURE_TEST_CASE(a_pipe_without_a_writer_does_not_hang_and_a_device_does_not_fill_memory, Fixture) {
  const std::string pipe = folder.file("pipe");
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  BOOST_TEST(refusal(pipe) == pipe + ": found a device, pipe or socket, expected a regular file");
  BOOST_TEST(refusal("/dev/zero") == "/dev/zero: found a device, pipe or socket, expected a regular file");
  BOOST_TEST(refusal(folder.path) == folder.path.string() + ": found a directory, expected a regular file");
}

BOOST_FIXTURE_TEST_CASE(a_file_that_is_not_there_is_named, Fixture) {
  const std::string path = folder.file("none");
  BOOST_CHECK_EXCEPTION((void)read_regular_file(path, 16), std::system_error, [&path](const std::system_error& error) {
    return error.code() == std::errc::no_such_file_or_directory && std::string(error.what()).starts_with(path);
  });
}

BOOST_FIXTURE_TEST_CASE(a_password_is_the_first_line_without_its_end, Fixture) {
  BOOST_TEST(read_first_line(folder.write("no-end", "secret")) == "secret");
  BOOST_TEST(read_first_line(folder.write("one", "secret\n")) == "secret");
  BOOST_TEST(read_first_line(folder.write("dos", "secret\r\nmore\r\n")) == "secret");
  BOOST_TEST(read_first_line(folder.write("blanks", " a b \n")) == " a b ");  // blanks are kept
  for (const auto* content : {"", "\n", "\r\n", "\nsecret\n"}) {
    const std::string path = folder.write("empty", content);
    BOOST_CHECK_EXCEPTION((void)read_first_line(path), std::invalid_argument,
                          [&path](const auto& error) { return std::string(error.what()).starts_with(path); });
  }
}
