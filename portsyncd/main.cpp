// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include "app.hpp"
#include "base/exit_status.hpp"
#include "base/text_check.hpp"
#include "config/environment.hpp"
#include "config/load_config.hpp"
#include "config/options.hpp"
#include "daemon.hpp"
#include "log/log.hpp"
#include "os/system.hpp"

namespace portsyncd {
namespace {

// Prints problems as plain lines on standard error, and the result on standard output. Operators and editors read them.
int report_config(const LoadedConfig& loaded, const Options& options) {
  for (const Problem& problem : loaded.problems) {
    const bool is_error = problem.severity == Problem::Severity::error;
    std::fprintf(stderr, "%s%s\n", is_error ? "" : "warning: ", without_control_characters(problem.text).c_str());
  }
  if (any_error(loaded.problems)) return exit_config;
  if (options.strict && !loaded.problems.empty()) {
    std::fprintf(stderr, "%s: not valid: --strict treats warnings as errors\n", loaded.file.c_str());
    return exit_config;
  }
  if (options.show_config) {
    std::fputs(to_toml(loaded).c_str(), stdout);
  } else {
    std::printf("%s: %s\n", loaded.file.c_str(),
                loaded.file_found ? "valid" : "does not exist, every key has its default");
  }
  return exit_clean;
}

int run(int argc, const char* const* argv) {
  Options options;
  if (const auto status = parse_options(argc, argv, options)) return *status;
  const auto load = [&options] {
    LoadedConfig loaded = load_config(options, os::environment());
    if (!loaded.password.empty()) os::hide_memory();  // no core with the password in it
    return loaded;
  };
  LoadedConfig loaded = load();
  if (options.check_config || options.show_config) return report_config(loaded, options);
  return run_daemon(std::move(loaded), load, options.json_lines ? App::Output::json_lines : App::Output::redis);
}

}  // namespace
}  // namespace portsyncd

int main(int argc, char** argv) {
  try {
    const int status = portsyncd::run(argc, argv);
    if (status != portsyncd::exit_clean) portsyncd::log::finish();
    return status;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "portsyncd: %s\n", error.what());
    return 1;
  }
}
