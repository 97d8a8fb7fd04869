// SPDX-License-Identifier: Apache-2.0
#include "config/sonic_db_config.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "base/regular_file.hpp"
#include "base/text_check.hpp"

namespace portsyncd {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_bytes = 256U * 1024;
constexpr std::size_t longest_socket_path = 107;  // sockaddr_un

std::string about_database(const std::string& file, const std::string& database, const char* what) {
  return file + ": DATABASES." + database + ": " + what + "; ignored";
}

void warn(std::vector<Problem>& problems, std::string text) {
  problems.push_back({Problem::Severity::warning, without_control_characters(std::move(text))});
}

const Json* member(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

// Returns the member if it is a string, else "".
std::string text_of(const Json& object, const char* name) {
  const Json* found = member(object, name);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

// Returns a required member. Throws std::invalid_argument, which says what was expected.
template <typename T>
T need(const Json& object, const char* name, bool (Json::*is_right)() const noexcept, const char* expected) {
  const Json* found = member(object, name);
  if (found == nullptr || !(found->*is_right)())
    throw std::invalid_argument(std::string(name) + ": expected " + expected);
  return found->get<T>();
}

const Json& object_of(const Json& root, const char* name) {
  const Json* found = root.is_object() ? member(root, name) : nullptr;
  if (found == nullptr || !found->is_object()) throw std::invalid_argument(std::string(name) + ": expected an object");
  return *found;
}

SonicDatabase read_database(const Json& instances, const Json& description) {
  SonicDatabase database;
  if (!description.is_object()) throw std::invalid_argument("expected an object");
  database.instance = need<std::string>(description, "instance", &Json::is_string, "the name of an instance");
  database.number = need<std::int64_t>(description, "id", &Json::is_number_integer, "an integer");
  database.separator = text_of(description, "separator");
  const Json* instance = member(instances, database.instance);
  if (instance == nullptr || !instance->is_object()) {
    throw std::invalid_argument("instance: expected one of INSTANCES");
  }
  database.socket = text_of(*instance, "unix_socket_path");
  if (database.socket.size() > longest_socket_path) throw std::invalid_argument("unix_socket_path: too long");
  if (!database.socket.empty() && member(*instance, "hostname") == nullptr) return database;
  database.host = need<std::string>(*instance, "hostname", &Json::is_string, "a host name");
  database.port = need<std::int64_t>(*instance, "port", &Json::is_number_integer, "an integer");
  if (!database.socket.empty()) return database;
  if (database.host.empty()) throw std::invalid_argument("hostname: expected a host name");
  if (database.port < 1 || database.port > 65535) throw std::invalid_argument("port: expected 1 to 65535");
  return database;
}

void read(SonicDbConfig& config, const Json& root, const std::string& name) {
  const Json& instances = object_of(root, "INSTANCES");
  for (const auto& [database, description] : object_of(root, "DATABASES").items()) {
    try {
      config.databases.emplace(database, read_database(instances, description));
    } catch (const std::invalid_argument& error) {
      warn(config.problems, about_database(name, database, error.what()));
    }
  }
}

// Passes the file's content to use(). Adds each fault of the content to the problems.
template <typename F>
void parse(const std::string& text, const std::string& name, const char* what, std::vector<Problem>& problems,
           const F& use) {
  try {
    use(Json::parse(text));
  } catch (const Json::parse_error& error) {
    const auto byte = std::min<std::size_t>(error.byte, text.size());
    const auto lines = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(byte), '\n');
    warn(problems,
         name + ":" + std::to_string(lines + 1) + ": found no JSON here, expected SONiC's " + what + "; ignored");
  } catch (const std::exception& error) {
    warn(problems, name + ": " + error.what() + "; ignored");
  }
}

// Returns the content. Returns std::nullopt if the file does not exist, or, with a problem, if it cannot be read.
std::optional<std::string> read_file(const std::string& path, std::vector<Problem>& problems) {
  try {
    return read_regular_file(path, most_bytes);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::no_such_file_or_directory) warn(problems, std::string(error.what()) + "; ignored");
  } catch (const std::invalid_argument& error) {  // not a regular file, or too long
    warn(problems, std::string(error.what()) + "; ignored");
  }
  return std::nullopt;
}

}  // namespace

const SonicDatabase* SonicDbConfig::find(std::string_view name) const {
  const auto database = databases.find(name);
  return database == databases.end() ? nullptr : &database->second;
}

SonicDbConfig parse_sonic_db_config(const std::string& text, const std::string& name) {
  SonicDbConfig config;
  parse(text, name, "database_config.json", config.problems, [&](const Json& root) { read(config, root, name); });
  return config;
}

SonicDbConfig read_sonic_db_config(const std::string& path) {
  SonicDbConfig config;
  const auto text = read_file(path, config.problems);
  config.found = text || !config.problems.empty();
  if (!text) return config;
  return parse_sonic_db_config(*text, path);
}

void SonicDescription::add(const std::string& path) {
  std::vector<Problem> known;  // ignored: the loader of the configuration reports them
  files_.emplace_back(path, read_file(path, known));
}

bool SonicDescription::has_changed() const {
  std::vector<Problem> known;
  return std::any_of(files_.begin(), files_.end(),
                     [&known](const auto& file) { return read_file(file.first, known) != file.second; });
}

std::string database_global_beside(const std::string& path) {
  return std::filesystem::path(path).parent_path() / "database_global.json";
}

namespace {

// How well an entry of INCLUDES describes the databases of the namespace, or of the DPU, with this name.
enum class Fit : std::uint8_t {
  none,
  container,               // a DPU: it has a container name and no namespace
  container_in_namespace,  // the namespace is right, and one of its containers is meant
  whole_namespace,
};

Fit fit(const Json& include, const std::string& name) {
  const std::string container = text_of(include, "container_name");
  const std::string name_space = text_of(include, "namespace");
  if (name_space == name) return container.empty() ? Fit::whole_namespace : Fit::container_in_namespace;
  return name_space.empty() && container == name ? Fit::container : Fit::none;
}

}  // namespace

std::string sonic_db_config_of(const std::string& name_space, const std::string& path, std::vector<Problem>& problems) {
  const std::filesystem::path directory = std::filesystem::path(path).parent_path();
  const std::string global = database_global_beside(path);
  const auto text = read_file(global, problems);
  std::string found;
  if (!text) return found;
  parse(*text, global, "database_global.json", problems, [&](const Json& root) {
    const Json* includes = root.is_object() ? member(root, "INCLUDES") : nullptr;
    if (includes == nullptr || !includes->is_array()) throw std::invalid_argument("INCLUDES: expected an array");
    Fit best = Fit::none;
    for (const Json& include : *includes) {
      const Fit how = include.is_object() ? fit(include, name_space) : Fit::none;
      if (how <= best) continue;
      const std::string file = text_of(include, "include");
      if (file.empty()) continue;
      best = how;
      found = directory / file;
    }
  });
  return found;
}

}  // namespace portsyncd
