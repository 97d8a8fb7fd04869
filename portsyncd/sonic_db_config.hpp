// SPDX-License-Identifier: Apache-2.0
// SONiC's description of its databases, database_config.json. The only file that knows the JSON library.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config.hpp"

namespace portsyncd {

struct SonicDatabase {
  std::string instance;  // the Redis server's name in the file
  std::string socket;    // wins over host and port when not empty
  std::string host;
  std::int64_t port = 0;
  std::int64_t number = 0;
};

struct SonicDbConfig {
  bool found = true;                                            // false: there is no such file
  std::map<std::string, SonicDatabase, std::less<>> databases;  // by name: "STATE_DB"
  std::vector<Problem> problems;                                // warnings only: the file is SONiC's

  [[nodiscard]] const SonicDatabase* find(std::string_view name) const;
};

// Nothing is thrown; what the file lacks, or has in another shape, is a problem or is left out.
[[nodiscard]] SonicDbConfig read_sonic_db_config(const std::string& path);

// The same for a text already read; `name` stands for the file in places.
[[nodiscard]] SonicDbConfig parse_sonic_db_config(const std::string& text, const std::string& name);

}  // namespace portsyncd
