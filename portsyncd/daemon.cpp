// SPDX-License-Identifier: Apache-2.0
#include "daemon.hpp"

#include <optional>
#include <portsync/version.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "base/exit_status.hpp"
#include "base/runtime_directory.hpp"
#include "base/text_check.hpp"
#include "log/log.hpp"
#include "service/network_namespace.hpp"
#include "service/restart_marker.hpp"
#include "service/service_notifier.hpp"
#include "sonic/database_wait.hpp"

namespace portsyncd {
namespace {

// Opens the configured log. If that fails, logs to standard error and writes the reason there, because the log must not
// be lost.
void open_log(const Config::Logging& wanted) {
  log::set_level(log::parse_level(wanted.level).value_or(log::Level::info));
  try {
    return log::open({wanted.target, wanted.file});
  } catch (const std::runtime_error& error) {
    log::open({"stderr", ""});
    log::warning(std::string(error.what()) + "; logging to standard error");
  }
}

void log_start(const LoadedConfig& loaded) {
  log::info(std::string("portsyncd ") + portsync::version() + " starting");
  if (loaded.file_found) log::info("Configuration file " + loaded.file);
  if (!loaded.file_found && !any_error(loaded.problems)) {
    log::info("No configuration file " + loaded.file + ": every key has its default");
  }
  log_problems(loaded.problems);
}

// Reports to systemd that the process ends before an App exists. Returns `status`.
int failed(int status, const std::string& why) {
  ServiceNotifier().status("Failed: " + std::string(meaning_of(status)) + ": " + why);
  return status;
}

// Makes an App and returns the result of App::run(). If the App cannot be made, logs why and returns an exit status.
std::optional<int> run(const LoadedConfig& loaded, const RestartMarker& marker,
                       const NetworkNamespace& network_namespace, App::LoadConfig load, App::Output output) {
  try {
    App app(loaded, marker, network_namespace, std::move(load), output);
    return app.run();
  } catch (const std::invalid_argument& error) {
    log::error(error.what());
    return failed(exit_config, error.what());
  } catch (const std::system_error& error) {
    log::error(error.what());
    return failed(exit_unavailable, error.what());
  }
}

}  // namespace

int run_daemon(LoadedConfig loaded, const App::LoadConfig& load, App::Output output) {
  const bool valid = !any_error(loaded.problems);
  open_log(valid ? loaded.config.logging : Config::Logging());
  log_start(loaded);
  if (!valid) return failed(exit_config, without_control_characters(first_error(loaded.problems)->text));
  const RestartMarker marker(runtime_directory());
  const NetworkNamespace network_namespace("/run/netns/" + loaded.config.database.name_space);
  for (;;) {
    if (!loaded.databases_unknown.empty() && output == App::Output::redis) {
      auto known = wait_for_databases(loaded, load);
      if (!known) {
        marker.stopped();
        return exit_clean;
      }
      loaded = *std::move(known);
    }
    if (const auto status = run(loaded, marker, network_namespace, load, output)) return *status;
    // Loads the configuration as a restart would. If it has an error by now, keeps the old one.
    LoadedConfig again = load();
    if (any_error(again.problems)) {
      log_problems(again.problems);
      log::warning("Going on with the configuration as it was");
      continue;
    }
    loaded = std::move(again);
    open_log(loaded.config.logging);
    log_start(loaded);
  }
}

}  // namespace portsyncd
