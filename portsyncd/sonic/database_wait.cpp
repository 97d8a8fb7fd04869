// SPDX-License-Identifier: Apache-2.0
#include "sonic/database_wait.hpp"

#include <chrono>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "base/exit_status.hpp"
#include "log/log.hpp"
#include "loop/event_loop.hpp"
#include "os/system.hpp"
#include "service/heartbeat.hpp"
#include "service/service_notifier.hpp"

namespace portsyncd {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds look_interval = 250ms;
constexpr std::chrono::seconds ping_interval = 1s;

class DatabaseWait {
 public:
  DatabaseWait(const LoadedConfig& loaded, const std::function<LoadedConfig()>& load)
      : load_(load), problems_(text_of(loaded.problems)) {
    os::ignore_signal(SIGPIPE);
    report(loaded.databases_unknown);
    for (const int number : {SIGTERM, SIGINT}) {
      loop_.on_signal(number, [this](const auto&) {
        log::info("Stopped while waiting for the databases");
        notifier_.status("Stopped");
        notifier_.stopping();
        loop_.exit(exit_clean);
      });
    }
    loop_.on_signal(SIGHUP, [this](const auto&) { look(); });
    loop_.on_signal(SIGUSR1, [](const auto&) { log::info("No statistics yet: waiting for the databases"); });
    loop_.every(look_interval, [this] { look(); });
    loop_.after(ServiceNotifier::time_until_ready(), [this] { notifier_.ready(status()); });
    if (notifier_.watchdog_timeout()) loop_.every(ping_interval, [this] { notifier_.ping_watchdog(); });
    start_heartbeat(loop_, loaded.config.sync.heartbeat_secs);
  }

  std::optional<LoadedConfig> run() {
    (void)loop_.run();
    return std::move(found_);
  }

 private:
  // Loads the configuration again. Goes on waiting after an error, because the file may be being edited.
  void look() {
    LoadedConfig loaded = load_();
    if (std::string problems = text_of(loaded.problems); problems != problems_) {
      problems_ = std::move(problems);
      log_problems(loaded.problems);
    }
    if (const Problem* error = first_error(loaded.problems)) return report(error->text);
    if (!loaded.databases_unknown.empty()) return report(loaded.databases_unknown);
    found_ = std::move(loaded);
    loop_.exit(exit_clean);
  }

  static std::string text_of(const std::vector<Problem>& problems) {
    std::string text;
    for (const Problem& problem : problems) text += problem.text + '\n';
    return text;
  }

  void report(const std::string& unknown) {
    if (std::exchange(unknown_, unknown) == unknown) return notifier_.flush();
    log::info("Waiting for the databases: " + unknown);
    notifier_.status(status());
  }

  [[nodiscard]] std::string status() const { return "Degraded: waiting for the databases: " + unknown_; }

  const std::function<LoadedConfig()>& load_;
  EventLoop loop_;
  ServiceNotifier notifier_;
  std::string problems_;
  std::string unknown_;
  std::optional<LoadedConfig> found_;
};

}  // namespace

std::optional<LoadedConfig> wait_for_databases(const LoadedConfig& loaded, const std::function<LoadedConfig()>& load) {
  return DatabaseWait(loaded, load).run();
}

}  // namespace portsyncd
