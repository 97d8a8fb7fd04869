// SPDX-License-Identifier: Apache-2.0
// SONiC's database_config.json of any bytes: nothing is thrown, nothing is an error, and a result names a server.
#include "config/sonic_db_config.hpp"

#include <string>

#include "fuzz/config_promises.hpp"
#include "fuzz/fuzz.hpp"

using namespace portsyncd;
using portsync::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const SonicDbConfig config = parse_sonic_db_config(std::string(reinterpret_cast<const char*>(data), size), "f");
  require(config.found, "it is there");
  for (const Problem& problem : config.problems) {
    require(problem.severity == Problem::Severity::warning, "the file is SONiC's, so nothing in it is an error");
    require(problem.text.starts_with("f:"), "a message begins with the file");
    portsync::fuzz::require_plain(problem.text);
  }
  for (const auto& [name, database] : config.databases) {
    require(config.find(name) == &database, "a database is found by its name");
  }
  return 0;
}
