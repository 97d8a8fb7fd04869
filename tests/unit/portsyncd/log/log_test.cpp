// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE log
#include "log/log.hpp"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "support/cpp/temporary_folder.hpp"

using namespace portsyncd;

namespace {

struct Fixture {
  ~Fixture() {
    log::open({"stderr", ""});
    log::set_level(log::Level::info);
  }

  void open() const { log::open({"file", path}); }
  // Returns the text of the file, without the times.
  [[nodiscard]] std::string text() const {
    std::ifstream file(path);
    std::string all;
    for (std::string line; std::getline(file, line);) all += line.substr(line.find(' ') + 1) + "\n";
    return all;
  }
  static std::string refusal(const std::string& target, const std::string& file) {
    try {
      log::open({target, file});
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  }

  portsync::test::TemporaryFolder folder;
  std::string path = folder.file("log");
};

}  // namespace

BOOST_AUTO_TEST_CASE(levels_have_their_names_and_old_habits_theirs) {
  using Level = log::Level;
  for (const Level level :
       {Level::trace, Level::debug, Level::info, Level::warning, Level::error, Level::critical, Level::off}) {
    BOOST_TEST((log::parse_level(log::to_string(level)) == level));
    BOOST_TEST(log::level_names.find(log::to_string(level)) != std::string_view::npos);
  }
  BOOST_TEST((log::parse_level("Warning") == Level::warning));
  BOOST_TEST((log::parse_level("ERR") == Level::error));
  BOOST_TEST((log::parse_level("none") == Level::off));
  for (const char* wrong : {"", "inf", "infos", "loud"}) BOOST_TEST(!log::parse_level(wrong).has_value());
}

BOOST_FIXTURE_TEST_CASE(lines_of_a_level_and_above_are_written, Fixture) {
  open();
  log::set_level(log::Level::warning);
  log::info("not wanted");
  log::warning("wanted");
  log::error("wanted too");
  BOOST_TEST(text() == "warning wanted\nerror wanted too\n");
  BOOST_TEST(!log::enabled(log::Level::info));
  BOOST_TEST(log::enabled(log::Level::warning));
  BOOST_TEST((log::level() == log::Level::warning));
  for (int i = 0; i < 2; ++i) log::set_level(log::Level::off);
  log::error("nothing more");
  BOOST_TEST(text() == "warning wanted\nerror wanted too\nwarning The log level is off: this is the last line\n");
}

BOOST_FIXTURE_TEST_CASE(a_message_cannot_forge_a_line, Fixture) {
  open();
  log::info("a\nerror b\x1b[31m");
  BOOST_TEST(text() == "info a?error b?[31m\n");
}

BOOST_FIXTURE_TEST_CASE(a_file_that_was_moved_away_is_let_go_by_the_next_open, Fixture) {
  open();
  log::info("one");
  std::filesystem::rename(path, folder.file("log.1"));
  log::info("two");
  open();
  log::info("three");
  BOOST_TEST(text() == "info three\n");
  BOOST_TEST(std::filesystem::file_size(folder.file("log.1")) > 0U);
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_opened_is_named_and_the_log_stays_where_it_is, Fixture) {
  open();
  const std::string pipe = folder.file("pipe");
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  BOOST_TEST(refusal("file", pipe) ==
             "Cannot log to file: " + pipe + ": found a device, pipe, socket or directory, expected a regular file");
  BOOST_TEST(refusal("file", folder.path).starts_with("Cannot log to file: " + folder.path.string()));
  BOOST_TEST(refusal("file", path + "/below").starts_with("Cannot log to file: " + path + "/"));
  log::info("still here");
  BOOST_TEST(text() == "info still here\n");
}
