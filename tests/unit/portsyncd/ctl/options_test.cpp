// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE ctl_options
#include "ctl/options.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "ctl/exit_status.hpp"

using namespace portsyncctl;

namespace {

struct Parsed {
  explicit Parsed(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "portsyncctl");
    status = parse_options(static_cast<int>(arguments.size()), arguments.data(), options);
  }

  Options options;
  std::optional<int> status;
};

}  // namespace

BOOST_AUTO_TEST_CASE(without_a_command_it_is_the_status) {
  ::unsetenv("PORTSYNCCTL_SOCKET");
  const Parsed parsed({});
  BOOST_TEST(!parsed.status.has_value());
  BOOST_TEST((parsed.options.command == Command::status));
  BOOST_TEST(parsed.options.argument == "");
  BOOST_TEST(parsed.options.color == "auto");
  BOOST_TEST(parsed.options.socket == "/run/portsyncd/control.sock");
  BOOST_TEST(!parsed.options.json);
}

BOOST_AUTO_TEST_CASE(each_command_is_known_by_its_name) {
  using Arguments = std::vector<const char*>;
  const std::vector<std::pair<Arguments, Command>> commands{
      {{"status"}, Command::status},          {{"ports"}, Command::ports},
      {{"port", "Ethernet0"}, Command::port}, {{"monitor"}, Command::monitor},
      {{"health"}, Command::health},          {{"stats"}, Command::stats},
      {{"resync"}, Command::resync},          {{"audit"}, Command::audit},
      {{"reload"}, Command::reload},          {{"log-level", "debug"}, Command::log_level},
  };
  for (const auto& [arguments, command] : commands) {
    const Parsed parsed(arguments);
    BOOST_TEST(!parsed.status.has_value(), arguments[0]);
    BOOST_TEST((parsed.options.command == command), arguments[0]);
    BOOST_TEST(parsed.options.argument == (arguments.size() > 1 ? arguments[1] : ""));
  }
}

BOOST_AUTO_TEST_CASE(options_stand_before_the_command_and_behind_it) {
  BOOST_TEST(Parsed({"--json", "ports", "Ethernet1*"}).options.json);
  const Parsed behind({"ports", "Ethernet1*", "--json", "--color", "never", "--socket", "/tmp/s"});
  BOOST_TEST(behind.options.json);
  BOOST_TEST(behind.options.argument == "Ethernet1*");
  BOOST_TEST(behind.options.color == "never");
  BOOST_TEST(behind.options.socket == "/tmp/s");
  BOOST_TEST(Parsed({"resync", "--force"}).options.force);
}

BOOST_AUTO_TEST_CASE(the_socket_of_the_environment_gives_way_to_the_option) {
  ::setenv("PORTSYNCCTL_SOCKET", "/tmp/environment", 1);
  BOOST_TEST(Parsed({"status"}).options.socket == "/tmp/environment");
  BOOST_TEST(Parsed({"status", "--socket", "/tmp/option"}).options.socket == "/tmp/option");
  ::unsetenv("PORTSYNCCTL_SOCKET");
}

BOOST_AUTO_TEST_CASE(help_and_version_end_well_and_a_slip_does_not) {
  BOOST_TEST((Parsed({"--help"}).status == exit_done));
  BOOST_TEST((Parsed({"ports", "--help"}).status == exit_done));
  BOOST_TEST((Parsed({"--version"}).status == exit_done));
  for (const std::vector<const char*>& wrong : std::vector<std::vector<const char*>>{{"prots"},
                                                                                     {"port"},
                                                                                     {"log-level"},
                                                                                     {"status", "--force"},
                                                                                     {"--color", "blue"},
                                                                                     {"status", "ports"},
                                                                                     {"port", "a", "b"}}) {
    BOOST_TEST((Parsed(wrong).status == exit_usage), wrong[0]);
  }
}
