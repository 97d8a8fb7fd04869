// SPDX-License-Identifier: Apache-2.0
#include "config/load_config.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <initializer_list>
#include <optional>
#include <portsync/version.hpp>
#include <utility>

#include "base/regular_file.hpp"
#include "base/text_check.hpp"
#include "config/config_file.hpp"
#include "config/environment.hpp"
#include "config/sonic_db_config.hpp"
#include "config/value_check.hpp"
#include "log/log.hpp"

namespace portsyncd {
namespace {

using Severity = Problem::Severity;

class ConfigLoader {
 public:
  ConfigLoader() { loaded_.origins.resize(keys().size()); }

  LoadedConfig load(const Options& options, const std::vector<std::string_view>& variables) {
    loaded_.file = options.config_file.value_or(default_config_file);
    load_file(options.config_file.has_value());
    EnvironmentSettings environment = read_environment(variables);
    apply_all(environment.settings);
    add_problems(environment.problems);
    if (options.log_level) apply_all({{find_key("logging", "level"), *options.log_level, "--log-level"}});
    load_sonic_db_config();
    apply_mode();
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

  void add_problem(Severity severity, std::string text) { loaded_.problems.push_back({severity, std::move(text)}); }

  void add_problems(std::vector<Problem>& problems) {
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

  // Loads the addresses of the databases on this switch from SONiC's file. The operator's settings override them.
  void load_sonic_db_config() {
    SonicDbConfig sonic;
    sonic_file_ = find_sonic_db_config();
    if (!sonic_file_.empty()) {
      loaded_.description.add(sonic_file_);  // first: a file that changes meanwhile then differs
      sonic = read_sonic_db_config(sonic_file_);
    }
    add_problems(sonic.problems);
    if (const SonicDatabase* state_db = sonic.find("STATE_DB")) take_server(*state_db);
    loaded_.databases.config_db = locate(sonic, "CONFIG_DB", "config_db_number", "|");
    loaded_.databases.appl_db = locate(sonic, "APPL_DB", "appl_db_number", ":");
    loaded_.databases.state_db = locate(sonic, "STATE_DB", "state_db_number", "|");
    find_out_what_is_unknown(sonic);
  }

  // Returns the file that describes the databases. With a namespace, this is not the configured file itself: the
  // database_global.json beside that file names it.
  std::string find_sonic_db_config() {
    const Config::Database& database = loaded_.config.database;
    const std::string& path = database.sonic_db_config;
    if (database.name_space.empty() || path.empty()) return path;
    loaded_.description.add(database_global_beside(path));
    std::string found = sonic_db_config_of(database.name_space, path, loaded_.problems);
    if (found.empty()) {
      loaded_.databases_unknown = "database_global.json beside " + path + " does not list the namespace " +
                                  without_control_characters(database.name_space);
    }
    return found;
  }

  // Returns which of the operator's sources sets the server's address; "" = none. SONiC's file does not count.
  [[nodiscard]] std::string given_by() {
    for (const char* name : server_keys) {
      const std::string& from = origin("database", name);
      if (!from.empty() && from != sonic_file_) return from;
    }
    return "";
  }
  [[nodiscard]] bool server_is_given() { return !given_by().empty(); }

  // Takes the server's address from SONiC's file unless the operator sets any part of it. A mixture of both could name
  // a third server.
  void take_server(const SonicDatabase& state_db) {
    if (server_is_given()) return;
    if (!state_db.socket.empty()) return take("redis_socket", state_db.socket);
    take("redis_host", state_db.host);
    take("redis_port", state_db.port);
  }

  // Returns the address of a database. In SONiC's file each database may have its own server. A server that the
  // operator sets has all databases.
  DatabaseAddress locate(const SonicDbConfig& sonic, const char* name, const char* number, const char* separator) {
    const Config::Database& config = loaded_.config.database;
    const SonicDatabase* database = sonic.find(name);
    if (database != nullptr && origin("database", number).empty()) take(number, database->number);
    DatabaseAddress address{config.redis_socket, config.redis_host, config.redis_port, 0, separator, ""};
    for (const char* key : server_keys) {
      if (address.origin.empty()) address.origin = origin("database", key);
    }
    if (database != nullptr && !server_is_given()) {
      address.socket = database->socket;
      address.host = database->host;
      address.port = database->port;
      address.origin = sonic_file_;
    }
    if (database != nullptr && !database->separator.empty()) address.separator = database->separator;
    address.number = std::get<std::int64_t>(value_of(loaded_.config, *find_key("database", number)));
    return address;
  }

  // Sets databases_unknown if portsyncd must wait for the file. Mirror mode without a namespace uses the defaults if
  // the file does not exist, because it also runs on systems without SONiC.
  void find_out_what_is_unknown(const SonicDbConfig& sonic) {
    const Config& config = loaded_.config;
    const std::string& path = config.database.sonic_db_config;
    const bool is_default = path == Config::Database().sonic_db_config;
    const bool needed = (config.sync.mode == "sonic" || !config.database.name_space.empty()) && !server_is_given();
    if (path.empty() || !needed) {
      loaded_.databases_unknown.clear();
      // SONiC writes the file in place, so it may be incomplete. The defaults could then name another server than the
      // complete file.
      if (sonic.found && sonic.databases.empty() && !server_is_given()) {
        loaded_.databases_unknown = sonic_file_ + " describes no database";
      }
      if (!sonic.found && !is_default) {
        add_problem(Severity::warning, origin("database", "sonic_db_config") +
                                           ": database.sonic_db_config: there is no file " + path +
                                           "; going on without it");
      }
      return;
    }
    if (!loaded_.databases_unknown.empty()) return;
    if (!sonic.found) {
      loaded_.databases_unknown = "there is no file " + sonic_file_;
      return;
    }
    for (const char* name : {"CONFIG_DB", "APPL_DB", "STATE_DB"}) {
      if (sonic.find(name) == nullptr) loaded_.databases_unknown = sonic_file_ + " does not describe " + name;
    }
  }

  void take(const char* key, Value value) {
    apply_all({{find_key("database", key), std::move(value), sonic_file_, Severity::warning}});
  }

  // Sets port_index to false in sonic mode unless something sets it, because SONiC has no such hash.
  void apply_mode() {
    if (loaded_.config.sync.mode != "sonic" || !origin("sync", "port_index").empty()) return;
    apply_all({{find_key("sync", "port_index"), false, "sync.mode"}});
  }

  // Checks conditions that involve more than one key or the final values.
  void check_together() {
    const Config& config = loaded_.config;
    if (config.logging.target == "file" && config.logging.file.empty()) {
      add_problem(Severity::error, origin("logging", "target") +
                                       ": logging.target is \"file\" and logging.file is empty, " +
                                       "expected the name of the log file there");
    }
    if (!config.database.name_space.empty() && server_is_given()) {
      add_problem(Severity::warning, "database.namespace " + without_control_characters(config.database.name_space) +
                                         " has no effect: " + given_by() + " says where Redis is, which wins");
    }
    check_paths();
    check_globs();
    if (config.database.redis_socket.empty()) return;
    for (const char* name : {"redis_host", "redis_port"}) {
      const std::string& variable = origin("database", name);
      if (variable != "REDIS_HOST" && variable != "REDIS_PORT" && !variable.starts_with("PORTSYNCD_")) continue;
      add_problem(Severity::warning, variable + " has no effect: " + origin("database", "redis_socket") +
                                         " sets database.redis_socket, which wins");
    }
  }

  // Adds a warning about a key that a source sets, with that source.
  void warn_of(const Key& key, const std::string& text) {
    add_problem(Severity::warning, origin(key) + ": " + full_name(key) + ": " + text);
  }

  void check_paths() {
    for (const auto& [section, name] : path_keys) {
      const Key& key = *find_key(section, name);
      const auto path = std::get<std::string>(value_of(loaded_.config, key));
      if (path.empty() || path[0] == '/') continue;
      warn_of(key,
              path + " depends on the folder that portsyncd is started in, which is / under systemd; expected a path " +
                  "that begins with /");
    }
  }

  void check_globs() {
    for (const std::string& glob : loaded_.config.ports.match) check_glob(glob);
  }

  void check_glob(const std::string& glob) {
    const std::string why = why_nothing_matches(glob);
    if (!why.empty()) warn_of(*find_key("ports", "match"), "nothing can match \"" + glob + "\": " + why);
  }

  void load_password() {
    const std::string& path = loaded_.config.database.redis_password_file;
    if (path.empty()) return;
    try {
      loaded_.password = read_first_line(path);
      if (every_user_may_read(path)) {
        add_problem(Severity::warning,
                    "database.redis_password_file: " + path + ": every user may read it; chmod o-r " + path);
      }
    } catch (const std::exception& error) {
      add_problem(Severity::error, std::string("database.redis_password_file: ") + error.what());
    }
  }

  static constexpr std::array<std::pair<const char*, const char*>, 4> path_keys{{{"database", "redis_socket"},
                                                                                 {"database", "redis_password_file"},
                                                                                 {"database", "sonic_db_config"},
                                                                                 {"logging", "file"}}};
  static constexpr std::array server_keys{"redis_host", "redis_port", "redis_socket"};

  LoadedConfig loaded_;
  std::string sonic_file_;  // the file that describes the databases; "" = none
};

}  // namespace

LoadedConfig load_config(const Options& options, const std::vector<std::string_view>& environment) {
  return ConfigLoader().load(options, environment);
}

void log_problems(const std::vector<Problem>& problems) {
  for (const Problem& problem : problems) {
    log::write(problem.severity == Severity::error ? log::Level::error : log::Level::warning, problem.text);
  }
}

namespace {

constexpr std::size_t origin_column = 48;

std::string with_origin(std::string line, const std::string& origin) {
  line.resize(std::max(line.size(), origin_column), ' ');
  // A path may contain any character, even a line end.
  return line + "  # " + (origin.empty() ? "default" : without_control_characters(origin)) + "\n";
}

std::string to_comment(const char* name, const DatabaseAddress& address) {
  return with_origin(std::string("# ") + name + ": number " + std::to_string(address.number) + " of " +
                         without_control_characters(server_name(address)),
                     address.origin);
}

}  // namespace

std::string to_toml(const LoadedConfig& loaded) {
  std::string text =
      std::string("# The configuration of portsyncd ") + portsync::version() + ", and where each value is from\n";
  std::string_view section;
  for (std::size_t i = 0; i < keys().size(); ++i) {
    const Key& key = keys()[i];
    if (std::exchange(section, key.section) != key.section) text += "\n[" + std::string(key.section) + "]\n";
    text += with_origin(std::string(key.name) + " = " + to_toml(value_of(loaded.config, key)), loaded.origins[i]);
  }
  text += "\n# Where the databases are.\n";
  text += to_comment("CONFIG_DB", loaded.databases.config_db);
  text += to_comment("APPL_DB", loaded.databases.appl_db);
  text += to_comment("STATE_DB", loaded.databases.state_db);
  if (!loaded.databases_unknown.empty()) text += "# Not known yet: " + loaded.databases_unknown + "\n";
  return text;
}

}  // namespace portsyncd
