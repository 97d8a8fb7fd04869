// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE sonic_db_config
#include "config/sonic_db_config.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "config/load_config.hpp"
#include "support/cpp/temporary_folder.hpp"

using namespace portsyncd;
using portsync::test::TemporaryFolder;

namespace {

const std::string as_on_a_switch = R"({
  "INSTANCES": {
    "redis": {"hostname": "127.0.0.1", "port": 6379, "unix_socket_path": "/var/run/redis/redis.sock"},
    "redis2": {"hostname": "10.0.0.2", "port": 6380, "unix_socket_path": ""}
  },
  "DATABASES": {
    "APPL_DB": {"id": 0, "separator": ":", "instance": "redis"},
    "CONFIG_DB": {"id": 4, "separator": "|", "instance": "redis"},
    "STATE_DB": {"id": 16, "separator": "|", "instance": "redis"},
    "FAR_DB": {"id": 1, "separator": "|", "instance": "redis2"}
  },
  "VERSION": "1.0"
})";

std::string only_warning(const std::string& text) {
  const SonicDbConfig config = parse_sonic_db_config(text, "f");
  BOOST_REQUIRE_EQUAL(config.problems.size(), 1U);
  BOOST_TEST((config.problems[0].severity == Problem::Severity::warning));
  return config.problems[0].text;
}

struct Fixture {
  TemporaryFolder folder;
  std::string sonic = folder.write("database_config.json", as_on_a_switch);

  LoadedConfig load(const std::string& more = "", const std::vector<std::string_view>& environment = {}) const {
    Options options;
    options.config_file = folder.write("portsyncd.conf", "[database]\nsonic_db_config = \"" + sonic + "\"\n" + more);
    return load_config(options, environment);
  }
};

std::string origin(const LoadedConfig& loaded, std::string_view name) {
  return loaded.origins[static_cast<std::size_t>(find_key("database", name) - keys().data())];
}

}  // namespace

// On a switch, an installation from the package behaves like one without a configuration file.
BOOST_FIXTURE_TEST_CASE(the_shipped_file_leaves_the_databases_to_the_switch_s_own, Fixture) {
  Options options;
  options.config_file = PORTSYNCD_SHIPPED_CONF;
  const std::string place = "PORTSYNCD_DATABASE_SONIC_DB_CONFIG=" + sonic;
  const LoadedConfig loaded = load_config(options, {place});
  BOOST_TEST(loaded.problems.empty());
  BOOST_TEST(loaded.file_found);
  for (const char* key : {"redis_socket", "config_db_number", "state_db_number", "appl_db_number"}) {
    BOOST_TEST(origin(loaded, key) == sonic, key);
  }
  BOOST_TEST(loaded.databases.state_db.socket == "/var/run/redis/redis.sock");
  BOOST_TEST(loaded.databases.state_db.number == 16);
  BOOST_TEST(loaded.config.sync.port_index);
  BOOST_TEST(!load_config(options, {place, "PORTSYNCD_SYNC_MODE=sonic"}).config.sync.port_index);
}

BOOST_AUTO_TEST_CASE(a_switch_s_own_file_is_understood) {
  const SonicDbConfig config = parse_sonic_db_config(as_on_a_switch, "f");
  BOOST_TEST(config.problems.empty());
  const SonicDatabase* state = config.find("STATE_DB");
  BOOST_REQUIRE(state != nullptr);
  BOOST_TEST(state->socket == "/var/run/redis/redis.sock");
  BOOST_TEST(state->number == 16);
  const SonicDatabase* far = config.find("FAR_DB");
  BOOST_REQUIRE(far != nullptr);
  BOOST_TEST(far->socket.empty());
  BOOST_TEST(far->host == "10.0.0.2");
  BOOST_TEST(far->port == 6380);
  BOOST_TEST(config.find("NO_DB") == nullptr);
}

BOOST_AUTO_TEST_CASE(what_is_not_as_it_should_be_is_a_warning_and_the_rest_is_taken) {
  BOOST_TEST(only_warning("{\n\n oops").starts_with("f:3: found no JSON here"));
  BOOST_TEST(only_warning("") == "f:1: found no JSON here, expected SONiC's database_config.json; ignored");
  BOOST_TEST(only_warning("[]") == "f: INSTANCES: expected an object; ignored");
  BOOST_TEST(only_warning("{\"INSTANCES\": {}}") == "f: DATABASES: expected an object; ignored");
  const std::string half = R"({"INSTANCES": {"r": {"hostname": "h", "port": 1}},
    "DATABASES": {"A": {"id": 1, "instance": "r"}, "B": {"id": "x", "instance": "r"}}})";
  BOOST_TEST(only_warning(half) == "f: DATABASES.B: id: expected an integer; ignored");
  BOOST_TEST(parse_sonic_db_config(half, "f").find("A") != nullptr);
  BOOST_TEST(only_warning(R"({"INSTANCES": {}, "DATABASES": {"A": {"id": 1, "instance": "r"}}})") ==
             "f: DATABASES.A: instance: expected one of INSTANCES; ignored");
  BOOST_TEST(parse_sonic_db_config(std::string(200'000, '['), "f").problems.size() == 1U);
}

BOOST_AUTO_TEST_CASE(control_characters_in_the_name_of_a_database_do_not_reach_the_message) {
  BOOST_TEST(only_warning(R"({"INSTANCES": {}, "DATABASES": {"\u001b[31m": {"id": 1, "instance": "r"}}})") ==
             "f: DATABASES.?[31m: instance: expected one of INSTANCES; ignored");
}

BOOST_AUTO_TEST_CASE(it_gives_the_keys_that_no_other_source_gives) {
  const Fixture f;
  const LoadedConfig loaded = f.load();
  BOOST_TEST(loaded.problems.empty());
  BOOST_TEST(loaded.config.database.redis_socket == "/var/run/redis/redis.sock");
  BOOST_TEST(loaded.config.database.state_db_number == 16);
  BOOST_TEST(origin(loaded, "state_db_number") == f.sonic);
  BOOST_TEST(origin(loaded, "redis_host").empty());
}

BOOST_AUTO_TEST_CASE(a_key_set_explicitly_wins_and_a_server_is_taken_whole_or_not_at_all) {
  const Fixture f;
  const LoadedConfig by_file = f.load("redis_host = \"10.0.0.9\"\nstate_db_number = 7\n");
  BOOST_TEST(by_file.config.database.redis_socket.empty());
  BOOST_TEST(by_file.config.database.redis_host == "10.0.0.9");
  BOOST_TEST(by_file.config.database.state_db_number == 7);
  const LoadedConfig by_environment = f.load("", {"REDIS_PORT=6399"});
  BOOST_TEST(by_environment.config.database.redis_socket.empty());
  BOOST_TEST(by_environment.config.database.redis_port == 6399);
  BOOST_TEST(by_environment.config.database.state_db_number == 16);
}

BOOST_AUTO_TEST_CASE(a_file_asked_for_that_is_not_there_is_a_warning) {
  Fixture f;
  f.sonic = "/does/not/exist";
  const LoadedConfig loaded = f.load();
  BOOST_REQUIRE_EQUAL(loaded.problems.size(), 1U);
  BOOST_TEST(!any_error(loaded.problems));
  BOOST_TEST(loaded.problems[0].text.find("there is no file /does/not/exist") != std::string::npos);
  BOOST_TEST(parse_sonic_db_config(as_on_a_switch, "f").found);
}

BOOST_FIXTURE_TEST_CASE(every_database_has_its_own_server_number_and_separator, Fixture) {
  std::string text = as_on_a_switch;
  const std::string config_db = R"("CONFIG_DB": {"id": 4, "separator": "|", "instance": "redis")";
  text.replace(text.find(config_db), config_db.size(),
               R"("CONFIG_DB": {"id": 7, "separator": "~", "instance": "redis2")");
  folder.write("database_config.json", text);
  const LoadedConfig loaded = load("[sync]\nmode = \"sonic\"\n");
  BOOST_TEST(loaded.databases_unknown == "");
  BOOST_TEST(server_name(loaded.databases.config_db) == "Redis at 10.0.0.2:6380");
  BOOST_TEST(loaded.databases.config_db.number == 7);
  BOOST_TEST(loaded.databases.config_db.separator == "~");
  BOOST_TEST(loaded.databases.config_db.origin == sonic);
  BOOST_TEST(server_name(loaded.databases.appl_db) == "Redis at /var/run/redis/redis.sock");
  BOOST_TEST(loaded.databases.appl_db.separator == ":");
  BOOST_TEST(loaded.databases.state_db.number == 16);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_is_set_has_all_databases, Fixture) {
  const LoadedConfig loaded = load("redis_socket = \"/run/mine.sock\"\n[sync]\nmode = \"sonic\"\n");
  for (const DatabaseAddress* database :
       {&loaded.databases.config_db, &loaded.databases.appl_db, &loaded.databases.state_db}) {
    BOOST_TEST(server_name(*database) == "Redis at /run/mine.sock");
  }
}

BOOST_FIXTURE_TEST_CASE(mirror_mode_waits_for_a_file_that_is_there_and_describes_nothing, Fixture) {
  for (const char* text : {"", "{\n", "[]", R"({"INSTANCES": {}, "DATABASES": {}})"}) {
    folder.write("database_config.json", text);
    BOOST_TEST(load().databases_unknown == sonic + " describes no database", text);
    BOOST_TEST(load("redis_host = \"r\"\n").databases_unknown == "", text);
  }
}

BOOST_FIXTURE_TEST_CASE(sonic_mode_waits_for_the_file_and_for_all_of_it, Fixture) {
  const std::string mode = "[sync]\nmode = \"sonic\"\n";
  sonic = folder.file("late.json");
  BOOST_TEST(load().databases_unknown == "");
  BOOST_TEST(load(mode).databases_unknown == "there is no file " + sonic);
  folder.write("late.json", R"({"INSTANCES": {"redis": {"unix_socket_path": "/s"}},
                                 "DATABASES": {"STATE_DB": {"id": 6, "instance": "redis"}}})");
  BOOST_TEST(load(mode).databases_unknown == sonic + " does not describe APPL_DB");
  folder.write("late.json", as_on_a_switch);
  BOOST_TEST(load(mode).databases_unknown == "");
}

BOOST_FIXTURE_TEST_CASE(in_sonic_mode_there_is_no_index_unless_it_is_set, Fixture) {
  BOOST_TEST(load().config.sync.port_index);
  BOOST_TEST(!load("[sync]\nmode = \"sonic\"\n").config.sync.port_index);
  BOOST_TEST(load("[sync]\nmode = \"sonic\"\nport_index = true\n").config.sync.port_index);
}

BOOST_FIXTURE_TEST_CASE(a_namespace_has_the_file_that_database_global_json_lists, Fixture) {
  const std::string asic0 = "namespace = \"asic0\"\n";
  BOOST_TEST(load(asic0).databases_unknown ==
             "database_global.json beside " + sonic + " does not list the namespace asic0");
  folder.write("database_global.json", R"({"INCLUDES": [{"include": "database_config.json"},
      {"container_name": "database0", "namespace": "asic0", "include": "asic0.json"}]})");
  BOOST_TEST(load(asic0).databases_unknown == "there is no file " + folder.file("asic0.json"));
  std::string text = as_on_a_switch;
  text.replace(text.find("/var/run/redis/"), 15, "/var/run/redis0/");
  folder.write("asic0.json", text);
  const LoadedConfig loaded = load(asic0);
  BOOST_TEST(loaded.databases_unknown == "");
  BOOST_TEST(server_name(loaded.databases.state_db) == "Redis at /var/run/redis0/redis.sock");
  BOOST_TEST(loaded.config.database.redis_socket == "/var/run/redis0/redis.sock");
  BOOST_TEST(origin(loaded, "redis_socket") == folder.file("asic0.json"));
  BOOST_TEST(loaded.problems.empty());
}

// As on a SmartSwitch: the host's own databases, and those of each DPU.
BOOST_FIXTURE_TEST_CASE(a_container_name_is_no_namespace_and_may_be_asked_for, Fixture) {
  folder.write("database_global.json", R"({"INCLUDES": [{"include": "database_config.json"},
      {"container_name": "dpu0", "include": "dpu0.json"}, {"container_name": "dpu1", "include": "dpu1.json"},
      {"namespace": "asic0", "include": "asic0.json"},
      {"container_name": "dpu0", "namespace": "asic0", "include": "another.json"},
      {"container_name": "asic0", "include": "yet-another.json"}]})");
  std::vector<Problem> problems;
  const auto file = [&](const std::string& name) { return sonic_db_config_of(name, sonic, problems); };
  BOOST_TEST(file("dpu0") == folder.file("dpu0.json"));
  BOOST_TEST(file("dpu1") == folder.file("dpu1.json"));
  BOOST_TEST(file("asic0") == folder.file("asic0.json"));
  BOOST_TEST(file("dpu2").empty());
  BOOST_TEST(problems.empty());
}

BOOST_FIXTURE_TEST_CASE(a_dpus_description_names_the_local_and_a_remote_server, Fixture) {
  folder.write("database_config.json", R"({"INSTANCES": {
      "redis": {"hostname": "127.0.0.1", "port": 6379, "unix_socket_path": "/var/run/redis/redis.sock",
                "database_type": "dpudb"},
      "remote_redis": {"hostname": "169.254.200.254", "port": 6381, "unix_socket_path": ""}},
    "DATABASES": {
      "APPL_DB": {"id": 0, "separator": ":", "instance": "redis"},
      "CONFIG_DB": {"id": 4, "separator": "|", "instance": "redis"},
      "STATE_DB": {"id": 6, "separator": "|", "instance": "redis"},
      "DPU_APPL_DB": {"id": 15, "separator": ":", "instance": "remote_redis", "format": "proto"},
      "DPU_STATE_DB": {"id": 17, "separator": "|", "instance": "remote_redis"}}})");
  const LoadedConfig loaded = load("");
  BOOST_TEST(loaded.problems.empty());
  for (const DatabaseAddress* address :
       {&loaded.databases.appl_db, &loaded.databases.config_db, &loaded.databases.state_db}) {
    BOOST_TEST(server_name(*address) == "Redis at /var/run/redis/redis.sock");
  }
}

BOOST_FIXTURE_TEST_CASE(a_configured_server_serves_all_databases_whatever_the_namespace, Fixture) {
  const LoadedConfig loaded = load("namespace = \"asic0\"\nredis_socket = \"/run/r.sock\"\n");
  BOOST_TEST(loaded.databases.state_db.socket == "/run/r.sock");
  const std::string wanted = "database.namespace asic0 has no effect: " + folder.file("portsyncd.conf") +
                             ":4:16 says where Redis is, which wins";
  const auto found = std::find_if(loaded.problems.begin(), loaded.problems.end(),
                                  [&wanted](const Problem& problem) { return problem.text == wanted; });
  BOOST_REQUIRE(found != loaded.problems.end());
  BOOST_TEST((found->severity == Problem::Severity::warning));
}

BOOST_FIXTURE_TEST_CASE(a_bad_list_of_namespaces_is_a_warning, Fixture) {
  for (const char* text : {"{", "[]", R"({"INCLUDES": 1})", R"({"INCLUDES": [1, {"namespace": 2}]})"}) {
    folder.write("database_global.json", text);
    const LoadedConfig loaded = load("namespace = \"asic0\"\n");
    BOOST_TEST(!any_error(loaded.problems), text);
    BOOST_TEST(!loaded.databases_unknown.empty(), text);
  }
}

BOOST_AUTO_TEST_CASE(a_description_has_changed_when_a_file_comes_changes_or_goes) {
  const portsync::test::TemporaryFolder folder;
  const std::string path = folder.file("database_config.json");
  SonicDescription absent;
  absent.add(path);
  BOOST_TEST(!absent.has_changed());
  folder.write("database_config.json", "{}");
  BOOST_TEST(absent.has_changed());
  SonicDescription description;
  description.add(folder.file("database_global.json"));
  description.add(path);
  BOOST_TEST(!description.has_changed());
  folder.write("database_config.json", "[]");  // of the same size, perhaps within one tick of the file's times
  BOOST_TEST(description.has_changed());
  folder.write("database_config.json", "{}");
  BOOST_TEST(!description.has_changed());
  std::filesystem::remove(path);
  BOOST_TEST(description.has_changed());
}
