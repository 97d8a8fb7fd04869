// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE config_file
#include "config/config_file.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "base/text_check.hpp"
#include "config/load_config.hpp"
#include "support/cpp/temporary_folder.hpp"

using namespace portsyncd;
using portsync::test::TemporaryFolder;

namespace {

// Returns the text of the only problem that a file has.
std::string problem(const std::string& text, Problem::Severity severity = Problem::Severity::error) {
  const ConfigFile file = parse_config(text, "f");
  BOOST_REQUIRE_EQUAL(file.problems.size(), 1U);
  BOOST_TEST((file.problems[0].severity == severity));
  return file.problems[0].text;
}

std::string warning(const std::string& text) {
  return problem(text, Problem::Severity::warning);
}

std::vector<Problem> load(const std::string& path) {
  Options options;
  options.config_file = path;
  return load_config(options, {}).problems;
}

}  // namespace

BOOST_AUTO_TEST_CASE(settings_come_in_the_order_of_the_file_with_their_places) {
  const ConfigFile file =
      parse_config("[ports]\nmatch = [\"a\", 'b']\n\n[database]\n  redis_port = 6380 # comment é\n", "f");
  BOOST_TEST(file.problems.empty());
  BOOST_REQUIRE_EQUAL(file.settings.size(), 2U);
  BOOST_TEST(full_name(*file.settings[0].key) == "ports.match");
  BOOST_TEST((file.settings[0].value == Value(std::vector<std::string>{"a", "b"})));
  BOOST_TEST(full_name(*file.settings[1].key) == "database.redis_port");
  BOOST_TEST((file.settings[1].value == Value(std::int64_t{6380})));
  BOOST_TEST(file.settings[1].where == "f:5:16");
}

BOOST_AUTO_TEST_CASE(an_empty_file_and_one_with_a_byte_order_mark_or_crlf_are_good) {
  for (const std::string text : {"", "\n", "# only a comment", "\xef\xbb\xbf[database]\r\nredis_port = 1\r\n"}) {
    BOOST_TEST(parse_config(text, "f").problems.empty());
  }
}

BOOST_AUTO_TEST_CASE(an_unknown_name_is_a_warning_with_the_nearest_known_one) {
  BOOST_TEST(warning("[database]\nredis_prot = 1\n") ==
             "f:2:14: unknown key database.redis_prot, did you mean redis_port?");
  BOOST_TEST(warning("[databse]\nredis_port = 1\n").ends_with("unknown section [databse], did you mean [database]?"));
  BOOST_TEST(warning("redis_port = 1\n") == "f:1:14: unknown key redis_port, did you mean redis_port in [database]?");
  BOOST_TEST(warning("[database.more]\nx = 1\n").find("unknown key database.more") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(control_characters_in_a_quoted_name_do_not_reach_the_message) {
  BOOST_TEST(warning("[database]\n\"\\u001b[2J\\n\" = 1\n") == "f:2:17: unknown key database.?[2J?");
  BOOST_TEST(warning("[\"a\\u007fb\"]\n").ends_with(": unknown section [a?b]"));
}

BOOST_AUTO_TEST_CASE(a_value_of_no_use_is_an_error) {
  BOOST_TEST(problem("database = 1\n") == "f:1:12: database: found a value, expected the section [database]");
  BOOST_TEST(problem("[database]\nredis_port = 1979-05-27\n") ==
             "f:2:14: database.redis_port: found a date or time, expected a value");
  BOOST_TEST(problem("[ports]\nmatch = [1]\n") ==
             "f:2:9: ports.match: found an array with other than strings, expected an array of strings");
  BOOST_TEST(problem("[ports]\nmatch = {a = 1}\n").find("found a table, expected a value") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_syntax_error_names_its_line_and_what_was_expected) {
  const std::string bare = problem("[database]\nredis_socket = /run/redis.sock\n");
  BOOST_TEST(bare.starts_with("f:2:"));
  BOOST_TEST(bare.ends_with(", expected a string in double quotes, a number, true, false or an [array]"));
  BOOST_TEST(problem("[database]\nredis_port 6379\n").starts_with("f:2:"));
  BOOST_TEST(problem("[database]\nredis_port =\n").ends_with(", expected a value after ="));
  BOOST_TEST(problem("[database\nredis_port = 1\n").starts_with("f:1:"));
  BOOST_TEST(problem("[database]\nredis_port = 1\nredis_port = 2\n").find("f:3:") == 0U);
  BOOST_TEST(!problem("[a]\nx = \"unclosed\n").empty());
  BOOST_TEST(!problem("[a]\nx = [1, 2\n").empty());
}

BOOST_AUTO_TEST_CASE(a_syntax_error_at_the_end_of_a_file_is_in_its_last_line) {
  BOOST_TEST(problem("h=[").starts_with("f:1:"));
  BOOST_TEST(problem("[ports]\nmatch = [\n  'a', # comment").starts_with("f:3:"));
}

BOOST_AUTO_TEST_CASE(an_integer_too_long_for_its_type_is_out_of_range) {
  const ConfigFile file = parse_config("[database]\nredis_port = 99999999999999999999999\n", "f");
  Config config;
  const bool refused = !file.problems.empty() || (file.settings.size() == 1 && apply(config, file.settings[0]));
  BOOST_TEST(refused);
}

BOOST_AUTO_TEST_CASE(what_toml11_cannot_stand_is_refused_before) {
  BOOST_TEST(problem("x = 1\ny\x03 = 2\n") == "f:2:2: found a control character, expected text");
  BOOST_TEST(problem(std::string("x = \"\0\"\n", 8)).starts_with("f:1:6: found a control character"));
  BOOST_TEST(problem("a\rb = 1\n").starts_with("f:1:2: found a control character"));
  BOOST_TEST(problem("'\x83o'") == "f:1:2: found bytes that are not UTF-8, expected UTF-8 text");
  BOOST_TEST(problem("x = " + std::string(10'000, '[')) ==
             "f:1:69: found more than 64 nested brackets, expected fewer");
  BOOST_TEST(problem("x = " + std::string(10'000, '{')).find("64 nested") != std::string::npos);
  std::string dotted = "a";
  for (int i = 0; i < 10'000; ++i) dotted += ".a";
  BOOST_TEST(problem(dotted + " = 1\n").find("more than 64 parts") != std::string::npos);
  BOOST_TEST(problem("[" + dotted + "]\n").find("more than 64 parts") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(brackets_and_dots_in_strings_and_comments_do_not_count) {
  const std::string many(200, '[');
  const std::string dots(200, '.');
  BOOST_TEST(!check_text("# " + many + dots + "\nx = \"" + many + dots + "\"\ny = '" + many + "'\n").has_value());
  BOOST_TEST(!check_text("x = \"\"\"\n" + many + "\n\"\"\"\n").has_value());
  BOOST_TEST(!check_text("x = \"\\\"" + many + "\"\n").has_value());
}

BOOST_AUTO_TEST_CASE(utf8_is_checked_as_rfc_3629_says) {
  for (const char* good : {"\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    BOOST_TEST(!check_text(good).has_value());
  }
  for (const char* bad : {"\x80", "\xc1\x80", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82"}) {
    BOOST_TEST(check_text(bad).has_value());
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_a_regular_file_of_decent_size_is_an_error_that_names_it) {
  const TemporaryFolder folder;
  BOOST_TEST(load(folder.path)[0].text == folder.path.string() + ": found a directory, expected a regular file");
  BOOST_TEST(load("/dev/zero")[0].text == "/dev/zero: found a device, pipe or socket, expected a regular file");
  const std::string fifo = folder.path / "fifo";
  BOOST_REQUIRE_EQUAL(::mkfifo(fifo.c_str(), 0600), 0);
  BOOST_TEST(load(fifo)[0].text == fifo + ": found a device, pipe or socket, expected a regular file");
  BOOST_TEST(load("/does/not/exist")[0].text == "/does/not/exist: No such file or directory");
  const std::string huge = folder.write("huge", std::string((1 << 16) + 1, '#'));
  BOOST_TEST(load(huge)[0].text == huge + ": longer than 65536 bytes");
}

BOOST_AUTO_TEST_CASE(the_password_is_the_first_line_of_its_file_and_its_absence_an_error) {
  const TemporaryFolder folder;
  const std::string secret = folder.write("secret", "correct horse\r\nsecond line\n");
  BOOST_REQUIRE(::chmod(secret.c_str(), 0640) == 0);
  Options options;
  options.config_file = folder.write("good", "[database]\nredis_password_file = \"" + secret + "\"\n");
  const LoadedConfig loaded = load_config(options, {});
  BOOST_TEST(loaded.problems.empty());
  BOOST_TEST(loaded.password == "correct horse");
  BOOST_REQUIRE(::chmod(secret.c_str(), 0644) == 0);
  const auto read_by_all = load_config(options, {}).problems;
  BOOST_REQUIRE_EQUAL(read_by_all.size(), 1U);
  BOOST_TEST((read_by_all[0].severity == Problem::Severity::warning));
  BOOST_TEST(read_by_all[0].text ==
             "database.redis_password_file: " + secret + ": every user may read it; chmod o-r " + secret);
  const auto problems = load(folder.write("bad", "[database]\nredis_password_file = \"/does/not/exist\"\n"));
  BOOST_REQUIRE_EQUAL(problems.size(), 1U);
  BOOST_TEST(problems[0].text == "database.redis_password_file: /does/not/exist: No such file or directory");
}

BOOST_AUTO_TEST_CASE(an_option_goes_over_the_file) {
  const TemporaryFolder folder;
  Options options;
  options.config_file = folder.write("f", "[logging]\nlevel = \"error\"\n");
  BOOST_TEST(load_config(options, {}).config.logging.level == "error");
  options.log_level = "debug";
  BOOST_TEST(load_config(options, {}).config.logging.level == "debug");
}

BOOST_AUTO_TEST_CASE(the_shipped_file_has_every_key_at_its_default) {
  std::ifstream shipped(PORTSYNCD_SHIPPED_CONF);
  std::string text;
  for (std::string line; std::getline(shipped, line); text += line + '\n') {
    const bool is_key_that_is_out = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    if (is_key_that_is_out) line.erase(0, 1);
  }
  const ConfigFile file = parse_config(text, "shipped");
  for (const Problem& problem : file.problems) BOOST_ERROR(problem.text);
  BOOST_TEST(file.settings.size() == keys().size());
  for (const Key& key : keys()) {
    const auto found = std::find_if(file.settings.begin(), file.settings.end(),
                                    [&key](const Setting& setting) { return setting.key == &key; });
    BOOST_REQUIRE_MESSAGE(found != file.settings.end(), full_name(key));
    BOOST_TEST((found->value == value_of({}, key)), full_name(key));
  }
}
