// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE options
#include "config/options.hpp"

#include <boost/test/unit_test.hpp>
#include <optional>
#include <vector>

#include "base/exit_status.hpp"

using namespace portsyncd;

namespace {

struct Parsed {
  explicit Parsed(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "portsyncd");
    status = parse_options(static_cast<int>(arguments.size()), arguments.data(), options);
  }

  Options options;
  std::optional<int> status;
};

}  // namespace

BOOST_AUTO_TEST_CASE(no_argument_is_needed) {
  const Parsed parsed({});
  BOOST_TEST(!parsed.status.has_value());
  BOOST_TEST(!parsed.options.config_file.has_value());
  BOOST_TEST(!parsed.options.log_level.has_value());
  BOOST_TEST(!parsed.options.check_config);
  BOOST_TEST(!parsed.options.show_config);
  BOOST_TEST(!parsed.options.json_lines);
}

BOOST_AUTO_TEST_CASE(each_option_reaches_its_member) {
  BOOST_TEST(*Parsed({"--config", "a.conf"}).options.config_file == "a.conf");
  BOOST_TEST(*Parsed({"-c", "a.conf"}).options.config_file == "a.conf");
  BOOST_TEST(*Parsed({"--log-level", "debug"}).options.log_level == "debug");
  BOOST_TEST(Parsed({"--show-config"}).options.show_config);
  BOOST_TEST(Parsed({"--json-lines"}).options.json_lines);
}

BOOST_AUTO_TEST_CASE(a_file_to_check_goes_over_the_one_of_config) {
  for (const char* option : {"--check-config", "--validate-config"}) {
    const Parsed alone({option});
    BOOST_TEST(alone.options.check_config);
    BOOST_TEST(!alone.options.config_file.has_value());
    BOOST_TEST(*Parsed({option, "b.conf"}).options.config_file == "b.conf");
    BOOST_TEST(*Parsed({option, "b.conf", "--config", "a.conf"}).options.config_file == "b.conf");
    BOOST_TEST(*Parsed({"--config", "a.conf", option}).options.config_file == "a.conf");
  }
}

BOOST_AUTO_TEST_CASE(help_and_version_end_well_and_a_slip_does_not) {
  BOOST_TEST((Parsed({"--help"}).status == exit_clean));
  BOOST_TEST((Parsed({"-h"}).status == exit_clean));
  BOOST_TEST((Parsed({"--version"}).status == exit_clean));
  BOOST_TEST((Parsed({"--confg", "a"}).status == exit_config));
  BOOST_TEST((Parsed({"--config"}).status == exit_config));
  BOOST_TEST((Parsed({"a.conf"}).status == exit_config));
}
