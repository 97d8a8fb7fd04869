// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE load_config
#include "config/load_config.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/cpp/temporary_folder.hpp"

using namespace portsyncd;

namespace {

struct Fixture {
  using Environment = std::vector<std::string_view>;

  [[nodiscard]] Options file(const std::string& text) const {
    Options options;
    options.config_file = folder.write("portsyncd.conf", text);
    return options;
  }
  [[nodiscard]] LoadedConfig load(const std::string& text, const Environment& environment = {}) const {
    return load_config(file(text), environment);
  }
  static std::string origin(const LoadedConfig& loaded, std::string_view section, std::string_view name) {
    return loaded.origins[static_cast<std::size_t>(find_key(section, name) - keys().data())];
  }
  // Returns the text of the only problem; "" if there is none.
  static std::string problem(const LoadedConfig& loaded) {
    BOOST_TEST(loaded.problems.size() <= 1U);
    return loaded.problems.empty() ? "" : loaded.problems[0].text;
  }

  portsync::test::TemporaryFolder folder;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(without_a_file_every_key_has_its_default, Fixture) {
  Options options;
  options.config_file = folder.write("empty", "");
  const LoadedConfig loaded = load_config(options, {});
  BOOST_TEST(loaded.problems.empty());
  BOOST_TEST(loaded.file_found);
  for (const Key& key : keys()) {
    BOOST_TEST((value_of(loaded.config, key) == value_of(Config(), key)), full_name(key));
  }
  for (const std::string& from : loaded.origins) BOOST_TEST(from == "");
}

BOOST_FIXTURE_TEST_CASE(a_named_file_that_is_not_there_is_an_error, Fixture) {
  Options options;
  options.config_file = folder.file("none");
  const LoadedConfig loaded = load_config(options, {});
  BOOST_TEST(!loaded.file_found);
  BOOST_TEST(loaded.file == *options.config_file);
  BOOST_TEST(any_error(loaded.problems));
}

BOOST_FIXTURE_TEST_CASE(options_go_over_the_environment_and_that_over_the_file, Fixture) {
  Options options = file("[logging]\nlevel = \"error\"\n[performance]\nmax_latency_us = 5000\n");
  BOOST_TEST(load_config(options, {}).config.logging.level == "error");
  const Environment environment{"PORTSYNCD_LOGGING_LEVEL=warn", "PORTSYNCD_PERFORMANCE_MAX_LATENCY_US=6000"};
  BOOST_TEST(load_config(options, environment).config.logging.level == "warn");
  options.log_level = "debug";
  const LoadedConfig loaded = load_config(options, environment);
  BOOST_TEST(loaded.config.logging.level == "debug");
  BOOST_TEST(origin(loaded, "logging", "level") == "--log-level");
  BOOST_TEST(loaded.config.performance.max_latency_us == 6000);
  BOOST_TEST(origin(loaded, "performance", "max_latency_us") == "PORTSYNCD_PERFORMANCE_MAX_LATENCY_US");
  BOOST_TEST(loaded.problems.empty());
}

BOOST_FIXTURE_TEST_CASE(a_variable_that_cannot_be_parsed_leaves_what_the_file_says, Fixture) {
  const LoadedConfig loaded = load("[database]\nredis_port = 6380\n", {"REDIS_PORT=tcp://10.0.0.1:6379"});
  BOOST_TEST(loaded.config.database.redis_port == 6380);
  BOOST_TEST(origin(loaded, "database", "redis_port") == folder.file("portsyncd.conf") + ":2:14");
  BOOST_TEST(!any_error(loaded.problems));
  BOOST_TEST(problem(loaded).starts_with("REDIS_PORT: "));
}

BOOST_FIXTURE_TEST_CASE(the_index_is_off_in_sonic_mode_unless_it_is_configured, Fixture) {
  const std::string sonic = "[database]\nredis_port = 6380\n[sync]\nmode = \"sonic\"\n";
  BOOST_TEST(!load(sonic).config.sync.port_index);
  BOOST_TEST(origin(load(sonic), "sync", "port_index") == "sync.mode");
  BOOST_TEST(load(sonic + "port_index = true\n").config.sync.port_index);
  BOOST_TEST(load("").config.sync.port_index);
}

BOOST_FIXTURE_TEST_CASE(a_log_file_must_have_a_name, Fixture) {
  const LoadedConfig loaded = load("[logging]\ntarget = \"file\"\n");
  BOOST_TEST(any_error(loaded.problems));
  BOOST_TEST(problem(loaded).find("logging.file is empty") != std::string::npos);
  BOOST_TEST(problem(load("[logging]\ntarget = \"file\"\nfile = \"/tmp/log\"\n")) == "");
}

BOOST_FIXTURE_TEST_CASE(a_host_of_the_environment_that_a_socket_overrides_is_reported, Fixture) {
  const std::string socket = "[database]\nredis_socket = \"/run/r\"\n";
  const LoadedConfig loaded = load(socket, {"REDIS_HOST=10.0.0.1"});
  BOOST_TEST(problem(loaded) == "REDIS_HOST has no effect: " + folder.file("portsyncd.conf") +
                                    ":2:16 sets database.redis_socket, which wins");
  BOOST_TEST(problem(load(socket + "redis_host = \"10.0.0.1\"\n")) == "");  // no warning if both are in one file
}

BOOST_FIXTURE_TEST_CASE(the_password_is_the_first_line_of_its_file_and_in_nothing_that_is_shown, Fixture) {
  const std::string secret = folder.write("secret", "tell nobody\nmore\n");
  const LoadedConfig loaded = load("[database]\nredis_password_file = \"" + secret + "\"\n");
  BOOST_TEST(loaded.password == "tell nobody");
  BOOST_TEST(to_toml(loaded).find("tell nobody") == std::string::npos);
  const LoadedConfig missing = load("[database]\nredis_password_file = \"" + folder.file("none") + "\"\n");
  BOOST_TEST(any_error(missing.problems));
  BOOST_TEST(problem(missing).starts_with("database.redis_password_file: " + folder.file("none")));
}

BOOST_FIXTURE_TEST_CASE(what_holds_is_shown_with_its_origin_and_loads_as_it_is_shown, Fixture) {
  const LoadedConfig loaded =
      load("[ports]\nmatch = [\"Eth*\", \"Po\"]\n[health]\nmin_port_sync_rate = 95\n", {"REDIS_HOST=::1"});
  const std::string shown = to_toml(loaded);
  const auto line = [&shown](const std::string& begin) {
    const std::size_t at = shown.find("\n" + begin);
    BOOST_REQUIRE(at != std::string::npos);
    return shown.substr(at + 1, shown.find('\n', at + 1) - at - 1);
  };
  BOOST_TEST(line("match").starts_with("match = [\"Eth*\", \"Po\"] "));
  BOOST_TEST(line("match").ends_with("  # " + folder.file("portsyncd.conf") + ":2:9"));
  BOOST_TEST(line("min_port_sync_rate").starts_with("min_port_sync_rate = 95.0 "));
  BOOST_TEST(line("redis_host").ends_with("  # REDIS_HOST"));
  BOOST_TEST(line("redis_port").ends_with("  # default"));
  BOOST_TEST(line("# STATE_DB").starts_with("# STATE_DB: number 6 of Redis at [::1]:6379 "));
  const LoadedConfig again = load(shown);
  BOOST_TEST(again.problems.empty());
  for (const Key& key : keys()) {
    BOOST_TEST((value_of(again.config, key) == value_of(loaded.config, key)), full_name(key));
  }
}
