// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <portsync/version.hpp>
#include <stdexcept>
#include <string>
#include <system_error>

#include "app.hpp"
#include "exit_status.hpp"
#include "load_config.hpp"
#include "log.hpp"
#include "options.hpp"

namespace portsyncd {
namespace {

// For an operator and his editor: bare lines, the verdict on standard output.
int check_config(const LoadedConfig& loaded) {
  for (const Problem& problem : loaded.problems) {
    const bool is_error = problem.severity == Problem::Severity::error;
    std::fprintf(stderr, "%s%s\n", is_error ? "" : "warning: ", problem.text.c_str());
  }
  if (any_error(loaded.problems)) return exit_config;
  std::printf("%s: %s\n", loaded.file.c_str(), loaded.file_found ? "valid" : "not there, every key has its default");
  return exit_clean;
}

void log_start(const LoadedConfig& loaded) {
  log::info(std::string("portsyncd ") + portsync::version() + " starting");
  if (loaded.file_found) log::info("Configuration file " + loaded.file);
  if (!loaded.file_found && !any_error(loaded.problems)) {
    log::info("No configuration file " + loaded.file + ": every key has its default");
  }
  for (const Problem& problem : loaded.problems) {
    log::write(problem.severity == Problem::Severity::error ? log::Level::error : log::Level::warning, problem.text);
  }
}

int run(const LoadedConfig& loaded, App::Output output) {
  try {
    App app(loaded.config, loaded.password, output);
    return app.run();
  } catch (const std::invalid_argument& error) {
    log::error(error.what());
    return exit_config;
  } catch (const std::system_error& error) {
    log::error(error.what());
    return exit_unavailable;
  }
}

int run(int argc, const char* const* argv) {
  Options options;
  if (const auto status = parse_options(argc, argv, options)) return *status;
  const LoadedConfig loaded = load_config(options);
  if (options.check_config) return check_config(loaded);
  const bool valid = !any_error(loaded.problems);
  log::open(valid ? log::parse_level(loaded.config.logging.level).value_or(log::Level::info) : log::Level::info);
  log_start(loaded);
  if (!valid) return exit_config;
  return run(loaded, options.json_lines ? App::Output::json_lines : App::Output::redis);
}

}  // namespace
}  // namespace portsyncd

int main(int argc, char** argv) {
  try {
    return portsyncd::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "portsyncd: %s\n", error.what());
    return 1;
  }
}
