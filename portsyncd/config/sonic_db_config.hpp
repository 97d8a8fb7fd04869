// SPDX-License-Identifier: Apache-2.0
// Reads SONiC's description of its databases, database_config.json. In config/, only the .cpp file uses the JSON
// library.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/config.hpp"

namespace portsyncd {

struct SonicDatabase {
  std::string instance;  // the Redis server's name in the file
  std::string socket;    // if not empty, used instead of host and port
  std::string host;
  std::int64_t port = 0;
  std::int64_t number = 0;
  std::string separator;  // "" = not in the file
};

struct SonicDbConfig {
  bool found = true;                                            // false: the file does not exist
  std::map<std::string, SonicDatabase, std::less<>> databases;  // by name: "STATE_DB"
  std::vector<Problem> problems;                                // warnings only, because the file is SONiC's

  [[nodiscard]] const SonicDatabase* find(std::string_view name) const;
};

// Reads the file. Throws nothing. Members that are missing or malformed become problems or are left out.
[[nodiscard]] SonicDbConfig read_sonic_db_config(const std::string& path);

// Returns the path of database_global.json in the directory of `path`.
[[nodiscard]] std::string database_global_beside(const std::string& path);

// Returns the path of the database_config.json of a namespace. Looks it up in database_global.json, in the same
// directory as `path`. Returns "" if that file is missing or does not list the namespace. Adds its faults to
// `problems`.
[[nodiscard]] std::string sonic_db_config_of(const std::string& name_space, const std::string& path,
                                             std::vector<Problem>& problems);

// The contents of the files that describe the databases, as they were when the configuration was loaded. Comparing them
// costs less than loading the configuration again, and ignores the operator's file, which only a reload applies.
class SonicDescription {
 public:
  // Reads a file. A file that cannot be read counts as another content than any that can.
  void add(const std::string& path);
  // Reads the files again, and returns whether any of them differs.
  [[nodiscard]] bool has_changed() const;

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> files_;  // path and content
};

// Parses a text as read_sonic_db_config() does. Messages name `name` as the file.
[[nodiscard]] SonicDbConfig parse_sonic_db_config(const std::string& text, const std::string& name);

}  // namespace portsyncd
