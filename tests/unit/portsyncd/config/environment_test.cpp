// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE environment
#include "config/environment.hpp"

#include <boost/test/unit_test.hpp>
#include <map>

using namespace portsyncd;

namespace {

// Returns the values of the keys that these variables set.
std::map<std::string, std::string> applied(const std::vector<std::string_view>& variables) {
  Config config;
  std::map<std::string, std::string> values;
  for (const Setting& setting : read_environment(variables).settings) {
    if (!apply(config, setting)) values[full_name(*setting.key)] = to_toml(value_of(config, *setting.key));
  }
  return values;
}

std::string value(const char* key, const std::vector<std::string_view>& variables) {
  const auto values = applied(variables);
  const auto found = values.find(key);
  return found == values.end() ? "none" : found->second;
}

std::vector<std::string> warnings(const std::vector<std::string_view>& variables) {
  Config config;
  std::vector<std::string> texts;
  EnvironmentSettings environment = read_environment(variables);
  for (const Setting& setting : environment.settings) {
    if (auto problem = apply(config, setting)) environment.problems.push_back(*problem);
  }
  for (const Problem& problem : environment.problems) {
    BOOST_TEST((problem.severity == Problem::Severity::warning), problem.text);
    texts.push_back(problem.text);
  }
  return texts;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_key_has_a_variable_of_its_own) {
  for (const Key& key : keys()) {
    const std::string text = to_toml(value_of({}, key));
    const bool is_text = text[0] == '"' || text[0] == '[';
    const std::string plain = is_text ? "" : text;
    const std::string variable = variable_name(key) + "=" + plain;
    const auto environment = read_environment({variable});
    BOOST_REQUIRE_EQUAL(environment.settings.size(), 1U);
    BOOST_TEST(environment.settings[0].key == &key);
    BOOST_TEST(environment.settings[0].where == variable_name(key));
    BOOST_TEST(environment.problems.empty());
    if (!is_text) BOOST_TEST((environment.settings[0].value == value_of({}, key)), variable);
  }
  BOOST_TEST(variable_name(*find_key("database", "namespace")) == "PORTSYNCD_DATABASE_NAMESPACE");
}

BOOST_AUTO_TEST_CASE(a_variable_is_read_as_its_key_wants_it) {
  BOOST_TEST(value("database.redis_port", {"PORTSYNCD_DATABASE_REDIS_PORT=6380"}) == "6380");
  BOOST_TEST(value("database.redis_host", {"PORTSYNCD_DATABASE_REDIS_HOST=1"}) == "\"1\"");
  BOOST_TEST(value("ports.match", {"PORTSYNCD_PORTS_MATCH=Ethernet*, eth[0-9]"}) == "[\"Ethernet*\", \"eth[0-9]\"]");
  for (const char* yes : {"true", "1", "yes", "ON"}) {
    const std::string variable = std::string("PORTSYNCD_SYNC_PORT_INDEX=") + yes;
    BOOST_TEST(value("sync.port_index", {variable}) == "true");
  }
  BOOST_TEST(value("sync.port_index", {"PORTSYNCD_SYNC_PORT_INDEX=off"}) == "false");
  BOOST_TEST(value("dbus.enabled", {"PORTSYNCD_DBUS_ENABLED=auto"}) == "\"auto\"");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_a_warning_and_ignored) {
  const auto found = warnings({"REDIS_PORT=tcp://10.0.0.1:6379"});
  BOOST_REQUIRE_EQUAL(found.size(), 1U);
  BOOST_TEST(found[0] ==
             "REDIS_PORT: database.redis_port: found the string \"tcp://10.0.0.1:6379\", expected an integer from 1 "
             "to 65535; ignored");
  for (const char* bad :
       {"PORTSYNCD_DATABASE_REDIS_PORT=0", "PORTSYNCD_DATABASE_REDIS_PORT=65536", "PORTSYNCD_DATABASE_REDIS_PORT=",
        "PORTSYNCD_DATABASE_REDIS_PORT= 6379", "PORTSYNCD_DATABASE_REDIS_PORT=99999999999999999999",
        "PORTSYNCD_DATABASE_REDIS_PORT=0x10", "PORTSYNCD_HEALTH_MIN_PORT_SYNC_RATE=nan", "PORTSYNCD_PORTS_MATCH=a,,b",
        "PORTSYNCD_HEALTH_MIN_PORT_SYNC_RATE=1e999", "PORTSYNCD_SYNC_PORT_INDEX=maybe", "PORTSYNCD_PORTS_SCOPE=some",
        "PORTSYNCD_DATABASE_REDIS_HOST=a\nb", "PORTSYNCD_DATABASE_REDIS_HOST=\x83"}) {
    BOOST_TEST_CONTEXT(bad) {
      BOOST_TEST(applied({bad}).empty());
      BOOST_TEST(warnings({bad}).size() == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_own_names_go_over_the_borrowed_ones) {
  const std::vector<std::string_view> both{"PORTSYNCD_DATABASE_REDIS_HOST=ours", "REDIS_HOST=theirs", "REDIS_PORT=1"};
  BOOST_TEST(value("database.redis_host", both) == "\"ours\"");
  BOOST_TEST(value("database.redis_port", both) == "1");
  BOOST_TEST(value("logging.level", {"PORTSYNCD_LOG_LEVEL=debug", "PORTSYNCD_LOGGING_LEVEL=off", "RUST_LOG=warn"}) ==
             "\"debug\"");
  BOOST_TEST(value("logging.level", {"PORTSYNCD_LOGGING_LEVEL=off", "RUST_LOG=warn"}) == "\"off\"");
}

BOOST_AUTO_TEST_CASE(an_empty_borrowed_name_is_none) {
  BOOST_TEST(applied({"REDIS_HOST=", "REDIS_PORT=", "RUST_LOG=", "PORTSYNCD_LOG_LEVEL="}).empty());
  BOOST_TEST(warnings({"REDIS_HOST=", "REDIS_PORT=", "RUST_LOG=", "PORTSYNCD_LOG_LEVEL="}).empty());
  BOOST_TEST(value("database.redis_socket", {"PORTSYNCD_DATABASE_REDIS_SOCKET="}) == "\"\"");
}

BOOST_AUTO_TEST_CASE(rust_log_is_a_level_or_directives) {
  BOOST_TEST(value("logging.level", {"RUST_LOG=debug"}) == "\"debug\"");
  BOOST_TEST(value("logging.level", {"RUST_LOG=portsyncd=trace"}) == "\"trace\"");
  BOOST_TEST(value("logging.level", {"RUST_LOG=warn,portsyncd=debug"}) == "\"debug\"");
  BOOST_TEST(value("logging.level", {"RUST_LOG=hyper=off , error"}) == "\"error\"");
  BOOST_TEST(applied({"RUST_LOG=hyper=off"}).empty());
  BOOST_TEST(warnings({"RUST_LOG=hyper=off"}).empty());
  BOOST_TEST(
      warnings({"RUST_LOG=loud"}) ==
      std::vector<std::string>{"RUST_LOG: logging.level: unknown level \"loud\", expected trace, debug, info, warn, "
                               "error, critical or off; using info"});
}

BOOST_AUTO_TEST_CASE(an_unknown_variable_of_ours_is_a_warning_with_the_nearest_name) {
  BOOST_TEST(warnings({"PORTSYNCD_DATABASE_REDIS_PROT=1"}) ==
             std::vector<std::string>{
                 "PORTSYNCD_DATABASE_REDIS_PROT: unknown variable, did you mean PORTSYNCD_DATABASE_REDIS_PORT?"});
  BOOST_TEST(warnings({"PORTSYNCD_SOMETHING_ELSE_ALTOGETHER_IT_IS=1"}) ==
             std::vector<std::string>{"PORTSYNCD_SOMETHING_ELSE_ALTOGETHER_IT_IS: unknown variable"});
  BOOST_TEST(warnings({"HOME=/root", "PATH", "", "=", "PORTSYNCD=1", "REDIS_URL=x"}).empty());
  BOOST_TEST(warnings({"PORTSYNCD_\xff=1"}).size() == 1U);
}

BOOST_AUTO_TEST_CASE(control_characters_in_the_name_of_a_variable_do_not_reach_the_message) {
  BOOST_TEST(warnings({"PORTSYNCD_\x1b[31mRED_AND_LONG_ENOUGH_FOR_NO_OTHER=1"}) ==
             std::vector<std::string>{"PORTSYNCD_?[31mRED_AND_LONG_ENOUGH_FOR_NO_OTHER: unknown variable"});
}
