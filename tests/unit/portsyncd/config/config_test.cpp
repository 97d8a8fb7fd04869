// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE config
#include "config/config.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <set>

using namespace portsyncd;

namespace {

struct Outcome {
  Config config;
  std::string error;
  std::string warning;
};

Outcome set(std::string_view section, std::string_view name, Value value) {
  Outcome outcome;
  const Key* key = find_key(section, name);
  BOOST_REQUIRE(key != nullptr);
  if (const auto problem = apply(outcome.config, {key, std::move(value), "here"})) {
    (problem->severity == Problem::Severity::error ? outcome.error : outcome.warning) = problem->text;
  }
  return outcome;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_key_has_a_name_of_its_own_and_a_member_of_its_own) {
  Config config;
  std::set<std::string> names;
  std::set<const void*> members;
  for (const Key& key : keys()) {
    names.insert(full_name(key));
    members.insert(std::visit([](const auto* member) { return static_cast<const void*>(member); }, key.member(config)));
  }
  BOOST_TEST(names.size() == keys().size());
  BOOST_TEST(members.size() == keys().size());
}

BOOST_AUTO_TEST_CASE(every_default_can_be_set) {
  for (const Key& key : keys()) {
    Config config;
    BOOST_TEST(!apply(config, {&key, value_of({}, key), "here"}).has_value(), full_name(key));
  }
}

BOOST_AUTO_TEST_CASE(a_value_reaches_its_member) {
  BOOST_TEST(set("database", "redis_port", std::int64_t{6380}).config.database.redis_port == 6380);
  BOOST_TEST(set("database", "redis_socket", std::string("/run/r")).config.database.redis_socket == "/run/r");
  BOOST_TEST(!set("sync", "port_index", false).config.sync.port_index);
  BOOST_TEST(set("ports", "match", std::vector<std::string>{"a*", "b"}).config.ports.match.size() == 2U);
}

BOOST_AUTO_TEST_CASE(an_integer_does_for_a_float_but_not_the_other_way_round) {
  BOOST_TEST(set("health", "min_port_sync_rate", std::int64_t{95}).config.health.min_port_sync_rate == 95.0);
  BOOST_TEST(set("database", "redis_port", 6379.0).error ==
             "here: database.redis_port: found the float 6379.0, expected an integer from 1 to 65535");
}

BOOST_AUTO_TEST_CASE(what_is_out_of_range_is_an_error_that_names_the_range) {
  for (const std::int64_t port : {std::int64_t{0}, std::int64_t{65536}, std::int64_t{-1}, std::int64_t{1} << 32,
                                  std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    const Outcome outcome = set("database", "redis_port", port);
    BOOST_TEST(outcome.error == "here: database.redis_port: found the integer " + std::to_string(port) +
                                    ", expected an integer from 1 to 65535");
    BOOST_TEST(outcome.config.database.redis_port == 6379);
  }
  for (const double rate :
       {-0.1, 100.1, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    BOOST_TEST(!set("performance", "min_success_rate", rate).error.empty());
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_type_is_an_error_that_names_both) {
  BOOST_TEST(set("database", "redis_port", std::string("6379")).error ==
             "here: database.redis_port: found the string \"6379\", expected an integer from 1 to 65535");
  BOOST_TEST(set("sync", "port_index", std::int64_t{1}).error ==
             "here: sync.port_index: found the integer 1, expected true or false");
  BOOST_TEST(
      set("ports", "match", std::string("Ethernet*")).error ==
      "here: ports.match: found the string \"Ethernet*\", expected an array of from 1 to 256 strings, none of them "
      "empty");
  BOOST_TEST(!set("ports", "match", std::vector<std::string>{}).error.empty());
  BOOST_TEST(!set("ports", "match", std::vector<std::string>{""}).error.empty());
}

BOOST_AUTO_TEST_CASE(a_string_is_plain_text_of_a_bounded_length) {
  BOOST_TEST(!set("database", "redis_host", std::string()).error.empty());
  BOOST_TEST(!set("database", "redis_host", std::string("a\nb")).error.empty());
  BOOST_TEST(!set("database", "redis_socket", std::string(108, 'a')).error.empty());
  BOOST_TEST(set("database", "redis_socket", std::string(107, 'a')).error.empty());
}

BOOST_AUTO_TEST_CASE(one_of_several_words_is_one_of_them) {
  BOOST_TEST(set("sync", "mode", std::string("sonic")).error.empty());
  BOOST_TEST(set("ports", "scope", std::string("configured")).error.empty());
  BOOST_TEST(set("sync", "mode", std::string("both")).error ==
             "here: sync.mode: found the string \"both\", expected one of \"mirror\" \"sonic\"");
}

BOOST_AUTO_TEST_CASE(an_address_to_listen_on_is_one_or_empty) {
  const Outcome good = set("metrics", "listen", std::string("[::1]:9101"));
  BOOST_TEST((good.error + good.warning).empty());
  BOOST_TEST(good.config.metrics.listen == "[::1]:9101");
  BOOST_TEST(set("metrics", "listen", std::string()).error.empty());
  const Outcome bad = set("metrics", "listen", std::string("9101"));
  BOOST_TEST(bad.error ==
             "here: metrics.listen: found the string \"9101\", expected an address and a port such as "
             "\"127.0.0.1:9101\" or \"[::1]:9101\", \":9101\" for all addresses, or \"\"");
  BOOST_TEST(bad.config.metrics.listen.empty());
}

BOOST_AUTO_TEST_CASE(a_switch_of_three_takes_booleans_too) {
  BOOST_TEST(set("dbus", "enabled", true).config.dbus.enabled == "true");
  BOOST_TEST(set("dbus", "enabled", std::string("false")).config.dbus.enabled == "false");
}

BOOST_AUTO_TEST_CASE(an_unknown_level_is_a_warning_and_means_info) {
  const Outcome outcome = set("logging", "level", std::string("loud"));
  BOOST_TEST(outcome.error.empty());
  BOOST_TEST(outcome.warning ==
             "here: logging.level: unknown level \"loud\", expected trace, debug, info, warn, error, "
             "critical or off; using info");
  BOOST_TEST(outcome.config.logging.level == "info");
  BOOST_TEST(set("logging", "level", std::string("WARNING")).warning.empty());
}

BOOST_AUTO_TEST_CASE(the_nearest_name_is_suggested) {
  BOOST_TEST(suggest_key("database", "redis_prot") == ", did you mean redis_port?");
  BOOST_TEST(suggest_key("database", "max_event_queue") == ", did you mean max_event_queue in [performance]?");
  BOOST_TEST(suggest_key("database", "colour") == "");
  BOOST_TEST(suggest_section("databse") == ", did you mean [database]?");
  BOOST_TEST(suggest_section("zebra") == "");
  BOOST_TEST(suggest_key("database", std::string(100'000, 'x')) == "");
}

BOOST_AUTO_TEST_CASE(values_are_shown_as_toml) {
  BOOST_TEST(to_toml(Value(true)) == "true");
  BOOST_TEST(to_toml(Value(99.0)) == "99.0");
  BOOST_TEST(to_toml(Value(99.5)) == "99.5");
  BOOST_TEST(to_toml(Value(std::string("a\"b\\c\n"))) == R"("a\"b\\c\u000a")");
  BOOST_TEST(to_toml(Value(std::vector<std::string>{"a", "b"})) == R"(["a", "b"])");
}
