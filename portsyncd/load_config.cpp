// SPDX-License-Identifier: Apache-2.0
#include "load_config.hpp"

#include <algorithm>
#include <exception>
#include <initializer_list>
#include <optional>
#include <portsync/version.hpp>
#include <utility>

#include "config_file.hpp"
#include "environment.hpp"
#include "log.hpp"
#include "regular_file.hpp"
#include "sonic_db_config.hpp"
#include "text_check.hpp"

namespace portsyncd {
namespace {

using Severity = Problem::Severity;

class Loader {
 public:
  Loader() { loaded_.origins.resize(keys().size()); }

  LoadedConfig load(const Options& options, const std::vector<std::string_view>& variables) {
    loaded_.file = options.config_file.value_or(default_config_file);
    load_file(options.config_file.has_value());
    EnvironmentSettings environment = read_environment(variables);
    apply_all(environment.settings);
    tell_all(environment.problems);
    if (options.log_level) apply_all({{find_key("logging", "level"), *options.log_level, "--log-level"}});
    load_sonic_db_config();
    check_together();
    load_password();
    return std::move(loaded_);
  }

 private:
  [[nodiscard]] std::string& origin(const Key& key) {
    return loaded_.origins[static_cast<std::size_t>(&key - keys().data())];
  }
  [[nodiscard]] std::string& origin(std::string_view section, std::string_view name) {
    return origin(*find_key(section, name));
  }

  void tell(Severity severity, std::string text) { loaded_.problems.push_back({severity, std::move(text)}); }

  void tell_all(std::vector<Problem>& problems) {
    std::move(problems.begin(), problems.end(), std::back_inserter(loaded_.problems));
  }

  void apply_all(const std::vector<Setting>& settings) {
    for (const Setting& setting : settings) {
      const auto problem = apply(loaded_.config, setting);
      if (problem) loaded_.problems.push_back(*problem);
      if (!problem || !problem->ignored) origin(*setting.key) = setting.where;
    }
  }

  void load_file(bool named) {
    ConfigFile file = read_config_file(loaded_.file);
    loaded_.file_found = file.found;
    if (!file.found && !named) return;
    loaded_.problems = std::move(file.problems);
    apply_all(file.settings);
  }

  // SONiC's file says where its databases are on this switch; whatever the operator has set himself goes over it.
  void load_sonic_db_config() {
    const Config::Database& database = loaded_.config.database;
    if (database.sonic_db_config.empty()) return;
    SonicDbConfig sonic = read_sonic_db_config(database.sonic_db_config);
    if (!sonic.found && database.sonic_db_config != Config::Database().sonic_db_config) {
      tell(Severity::warning, origin("database", "sonic_db_config") + ": database.sonic_db_config: there is no file " +
                                  database.sonic_db_config + "; going on without it");
    }
    tell_all(sonic.problems);
    if (const SonicDatabase* state_db = sonic.find("STATE_DB")) {
      take_server(*state_db);
      take_numbers(sonic, *state_db);
    }
  }

  // Where the server is comes whole from one source: half of it from each would name a third one.
  void take_server(const SonicDatabase& state_db) {
    for (const char* name : {"redis_host", "redis_port", "redis_socket"}) {
      if (!origin("database", name).empty()) return;
    }
    if (!state_db.socket.empty()) return take("redis_socket", state_db.socket);
    take("redis_host", state_db.host);
    take("redis_port", state_db.port);
  }

  void take_numbers(const SonicDbConfig& sonic, const SonicDatabase& state_db) {
    for (const auto& [name, key] :
         {std::pair{"STATE_DB", "state_db_number"}, std::pair{"CONFIG_DB", "config_db_number"},
          std::pair{"APPL_DB", "appl_db_number"}}) {
      const SonicDatabase* database = sonic.find(name);
      if (database == nullptr || !origin("database", key).empty()) continue;
      take(key, database->number);
      const bool needed = std::string_view(name) == "CONFIG_DB" && loaded_.config.ports.scope == "configured";
      if (needed && database->instance != state_db.instance) {
        tell(Severity::error, loaded_.config.database.sonic_db_config + ": CONFIG_DB is on another Redis server than " +
                                  "STATE_DB, which ports.scope = \"configured\" does not support in this version of " +
                                  "portsyncd, expected \"all\"");
      }
    }
  }

  void take(const char* key, Value value) {
    apply_all(
        {{find_key("database", key), std::move(value), loaded_.config.database.sonic_db_config, Severity::warning}});
  }

  // What no key can know alone.
  void check_together() {
    const Config& config = loaded_.config;
    if (config.logging.target == "file" && config.logging.file.empty()) {
      tell(Severity::error, origin("logging", "target") + ": logging.target is \"file\" and logging.file is empty, " +
                                "expected the name of the log file there");
    }
    if (config.database.redis_socket.empty()) return;
    for (const char* variable : {"REDIS_HOST", "REDIS_PORT"}) {
      for (const char* name : {"redis_host", "redis_port"}) {
        if (origin("database", name) != variable) continue;
        tell(Severity::warning, std::string(variable) + " has no effect: " + origin("database", "redis_socket") +
                                    " sets database.redis_socket, which wins");
      }
    }
  }

  void load_password() {
    const std::string& path = loaded_.config.database.redis_password_file;
    if (path.empty()) return;
    try {
      loaded_.password = read_first_line(path);
    } catch (const std::exception& error) {
      tell(Severity::error, std::string("database.redis_password_file: ") + error.what());
    }
  }

  LoadedConfig loaded_;
};

}  // namespace

LoadedConfig load_config(const Options& options, const std::vector<std::string_view>& environment) {
  return Loader().load(options, environment);
}

void log_problems(const std::vector<Problem>& problems) {
  for (const Problem& problem : problems) {
    log::write(problem.severity == Severity::error ? log::Level::error : log::Level::warning, problem.text);
  }
}

std::string to_toml(const LoadedConfig& loaded) {
  constexpr std::size_t origin_column = 48;
  std::string text =
      std::string("# The configuration of portsyncd ") + portsync::version() + ", and where each value is from\n";
  std::string_view section;
  for (std::size_t i = 0; i < keys().size(); ++i) {
    const Key& key = keys()[i];
    if (std::exchange(section, key.section) != key.section) text += "\n[" + std::string(key.section) + "]\n";
    std::string line = std::string(key.name) + " = " + to_toml(value_of(loaded.config, key));
    line.resize(std::max(line.size(), origin_column), ' ');
    // A path may have any character in it, the end of a line too.
    text +=
        line + "  # " + (loaded.origins[i].empty() ? "default" : without_control_characters(loaded.origins[i])) + "\n";
  }
  return text;
}

}  // namespace portsyncd
