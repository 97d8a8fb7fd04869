// SPDX-License-Identifier: Apache-2.0
// SONiC's description of its databases, database_config.json. The only file that knows the JSON library.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace portsyncd {

struct SonicDatabase {
  std::string instance;  // the Redis server's name in the file
  std::string socket;    // wins over host and port when not empty
  std::string host;
  std::int64_t port = 0;
  std::int64_t number = 0;
  std::string separator;  // "" = the file does not say
};

struct SonicDbConfig {
  bool found = true;                                            // false: there is no such file
  std::map<std::string, SonicDatabase, std::less<>> databases;  // by name: "STATE_DB"
  std::vector<Problem> problems;                                // warnings only: the file is SONiC's

  [[nodiscard]] const SonicDatabase* find(std::string_view name) const;
};

// Nothing is thrown; what the file lacks, or has in another shape, is a problem or is left out.
[[nodiscard]] SonicDbConfig read_sonic_db_config(const std::string& path);

// The file of this kind that describes the databases of a namespace, by database_global.json, which lies in the same
// directory as `path`. "" when that is not there, or does not list the namespace. What is wrong with it goes to
// `problems`.
[[nodiscard]] std::string sonic_db_config_of(const std::string& name_space, const std::string& path,
                                             std::vector<Problem>& problems);

// The same as read_sonic_db_config() for a text already read; `name` stands for the file in places.
[[nodiscard]] SonicDbConfig parse_sonic_db_config(const std::string& text, const std::string& name);

}  // namespace portsyncd
