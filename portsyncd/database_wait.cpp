// SPDX-License-Identifier: Apache-2.0
#include "database_wait.hpp"

#include <chrono>
#include <csignal>
#include <string>
#include <utility>

#include "event_loop.hpp"
#include "exit_status.hpp"
#include "log.hpp"
#include "service_notifier.hpp"

namespace portsyncd {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds look_interval = 250ms;
constexpr std::chrono::seconds ready_limit = 15s;  // else a boot without the databases would hang
constexpr std::chrono::seconds ping_interval = 1s;

class Wait {
 public:
  Wait(const LoadedConfig& loaded, const std::function<LoadedConfig()>& load) : load_(load) {
    std::signal(SIGPIPE, SIG_IGN);
    tell(loaded.databases_unknown);
    for (const int number : {SIGTERM, SIGINT}) {
      loop_.on_signal(number, [this] {
        log::info("Stopped while waiting for the databases");
        notifier_.stopping();
        loop_.exit(exit_clean);
      });
    }
    loop_.on_signal(SIGHUP, [this] { look(); });
    loop_.every(look_interval, [this] { look(); });
    loop_.after(ready_limit, [this] { notifier_.ready(status()); });
    if (notifier_.watchdog_timeout()) loop_.every(ping_interval, [this] { notifier_.ping_watchdog(); });
  }

  std::optional<LoadedConfig> run() {
    (void)loop_.run();
    return std::move(found_);
  }

 private:
  void look() {
    LoadedConfig loaded = load_();
    if (!any_error(loaded.problems) && !loaded.databases_unknown.empty()) return tell(loaded.databases_unknown);
    found_ = std::move(loaded);
    loop_.exit(exit_clean);
  }

  void tell(const std::string& unknown) {
    if (std::exchange(unknown_, unknown) == unknown) return notifier_.flush();
    log::info("Waiting for the databases: " + unknown);
    notifier_.status(status());
  }

  [[nodiscard]] std::string status() const { return "Degraded: waiting for the databases: " + unknown_; }

  const std::function<LoadedConfig()>& load_;
  EventLoop loop_;
  ServiceNotifier notifier_;
  std::string unknown_;
  std::optional<LoadedConfig> found_;
};

}  // namespace

std::optional<LoadedConfig> wait_for_databases(const LoadedConfig& loaded, const std::function<LoadedConfig()>& load) {
  return Wait(loaded, load).run();
}

}  // namespace portsyncd
