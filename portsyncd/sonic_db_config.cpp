// SPDX-License-Identifier: Apache-2.0
#include "sonic_db_config.hpp"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "regular_file.hpp"
#include "text_check.hpp"

namespace portsyncd {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_bytes = 256U * 1024;

std::string about_database(const std::string& file, const std::string& database, const char* what) {
  return file + ": DATABASES." + database + ": " + what + "; ignored";
}

void warn(SonicDbConfig& config, std::string text) {
  config.problems.push_back({Problem::Severity::warning, without_control_characters(std::move(text))});
}

const Json* member(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

// A member that must be there; throws std::invalid_argument that says what was expected of it.
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
  const Json* instance = member(instances, database.instance);
  if (instance == nullptr || !instance->is_object()) {
    throw std::invalid_argument("instance: expected one of INSTANCES");
  }
  if (const Json* socket = member(*instance, "unix_socket_path"); socket != nullptr && socket->is_string()) {
    database.socket = socket->get<std::string>();
  }
  if (!database.socket.empty() && member(*instance, "hostname") == nullptr) return database;
  database.host = need<std::string>(*instance, "hostname", &Json::is_string, "a host name");
  database.port = need<std::int64_t>(*instance, "port", &Json::is_number_integer, "an integer");
  return database;
}

void read(SonicDbConfig& config, const std::string& text, const std::string& name) {
  const Json root = Json::parse(text);
  const Json& instances = object_of(root, "INSTANCES");
  for (const auto& [database, description] : object_of(root, "DATABASES").items()) {
    try {
      config.databases.emplace(database, read_database(instances, description));
    } catch (const std::invalid_argument& error) {
      warn(config, about_database(name, database, error.what()));
    }
  }
}

}  // namespace

const SonicDatabase* SonicDbConfig::find(std::string_view name) const {
  const auto database = databases.find(name);
  return database == databases.end() ? nullptr : &database->second;
}

SonicDbConfig parse_sonic_db_config(const std::string& text, const std::string& name) {
  SonicDbConfig config;
  try {
    read(config, text, name);
  } catch (const Json::parse_error& error) {
    const auto byte = std::min<std::size_t>(error.byte, text.size());
    const auto lines = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(byte), '\n');
    warn(config, name + ":" + std::to_string(lines + 1) +
                     ": found no JSON here, expected SONiC's database_config.json; ignored");
  } catch (const std::exception& error) {
    warn(config, name + ": " + error.what() + "; ignored");
  }
  return config;
}

SonicDbConfig read_sonic_db_config(const std::string& path) {
  try {
    return parse_sonic_db_config(read_regular_file(path, most_bytes), path);
  } catch (const std::system_error& error) {
    SonicDbConfig config;
    config.found = error.code() != std::errc::no_such_file_or_directory;
    if (config.found) warn(config, std::string(error.what()) + "; ignored");
    return config;
  } catch (const std::invalid_argument& error) {  // not a regular file, or too long
    SonicDbConfig config;
    warn(config, std::string(error.what()) + "; ignored");
    return config;
  }
}

}  // namespace portsyncd
