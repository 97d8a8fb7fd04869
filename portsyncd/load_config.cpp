// SPDX-License-Identifier: Apache-2.0
#include "load_config.hpp"

#include <exception>
#include <utility>

#include "config_file.hpp"
#include "regular_file.hpp"

namespace portsyncd {
namespace {

void apply_all(LoadedConfig& loaded, const std::vector<Setting>& settings) {
  for (const Setting& setting : settings) {
    if (auto problem = apply(loaded.config, setting)) loaded.problems.push_back(std::move(*problem));
  }
}

void load_file(LoadedConfig& loaded, bool named) {
  ConfigFile file = read_config_file(loaded.file);
  loaded.file_found = file.found;
  if (!file.found && !named) return;
  loaded.problems = std::move(file.problems);
  apply_all(loaded, file.settings);
}

void load_password(LoadedConfig& loaded) {
  const std::string& path = loaded.config.database.redis_password_file;
  if (path.empty()) return;
  try {
    loaded.password = read_first_line(path);
  } catch (const std::exception& error) {
    loaded.problems.push_back({Problem::Severity::error, std::string("database.redis_password_file: ") + error.what()});
  }
}

}  // namespace

LoadedConfig load_config(const Options& options) {
  LoadedConfig loaded;
  loaded.file = options.config_file.value_or(default_config_file);
  load_file(loaded, options.config_file.has_value());
  if (options.log_level) {
    apply_all(loaded, {{find_key("logging", "level"), *options.log_level, "--log-level"}});
  }
  load_password(loaded);
  return loaded;
}

}  // namespace portsyncd
