// SPDX-License-Identifier: Apache-2.0
// portsyncd's App: its configuration from a file, its loop, its control and its service notification, on the simulated
// machine.
#include <algorithm>
#include <charconv>
#include <csignal>
#include <sstream>
#include <utility>

#include "base/exit_status.hpp"
#include "config/load_config.hpp"
#include "daemon.hpp"
#include "faces/control.hpp"
#include "os/system.hpp"
#include "sim/machine.hpp"
#include "sim/process.hpp"

namespace sim {
namespace {

constexpr Time watchdog_limit = 10 * second;
constexpr Time ready_limit = 15 * second;
// The first process starts with the machine, at 1 s. Its status is compared from here on.
constexpr Time first_comparison = 2 * second;
constexpr const char* supervised_directory = "/run/portsyncd";

std::string quoted_list(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "\"" : ", \"") + word + "\"";
  return "[" + text + "]";
}

std::string config_text(const Setup& setup, const portsync::PortFilter& filter, const char* level) {
  std::ostringstream out;
  out << "[database]\nsonic_db_config = \"\"\n";
  if (setup.tcp) {
    out << "redis_host = \"" << (setup.by_name ? server_name : "127.0.0.1") << "\"\n";
  } else {
    out << "redis_socket = \"" << server_address(setup) << "\"\n";
  }
  out << "connection_timeout_secs = " << setup.timeout / second
      << "\nretry_interval_secs = " << setup.retry_interval / second
      << "\n[ports]\nmatch = " << quoted_list(filter.match) << "\n[sync]\nmode = \""
      << (setup.sonic ? "sonic" : "mirror") << "\"\naudit_interval_secs = " << setup.audit_interval / second
      << "\nfull_audit_every = " << setup.full_audit_every << "\nport_index = " << (setup.index ? "true" : "false")
      << "\n[netlink]\nreceive_buffer_bytes = " << setup.receive_buffer
      << "\n[performance]\nmax_event_queue = " << setup.max_event_queue
      << "\n[health]\nwatchdog_interval_secs = 3\n[logging]\ntarget = \"stderr\"\nlevel = \"" << level << "\"\n";
  return out.str();
}

// "ifindex=7" of a line.
std::int32_t number_after(std::string_view line, std::string_view name) {
  std::int32_t number = 0;
  const std::size_t at = line.find(name);
  if (at != std::string_view::npos) std::from_chars(line.data() + at + name.size(), line.data() + line.size(), number);
  return number;
}

class AppProcess final : public Process {
 public:
  AppProcess(const Setup& setup, portsync::PortFilter filter, OnLinkSetDown on_link_set_down)
      : setup_(setup), filter_(std::move(filter)), on_link_set_down_(std::move(on_link_set_down)) {
    ++host_.process_id;
    host_.process_start = last_ping_ = now();
    host_.environment = {"RUNTIME_DIRECTORY=" + std::string(supervised_directory)};
    if (managed()) {
      host_.environment.emplace_back("NOTIFY_SOCKET=/run/systemd/notify");
      host_.environment.emplace_back("WATCHDOG_USEC=" + std::to_string(watchdog_limit / microsecond));
    }
    host_.directories.emplace(supervised_directory);
    host_.on_notification = [this](std::string_view message) { on_notification(message); };
    host_.on_log = [this](int level, std::string_view line) { on_log(level, line); };
    host_.on_port_changed = [this](std::string_view port, const auto* before, const auto* row) {
      if (before != nullptr && row != nullptr && *before == *row && !setup_.sonic) {
        lie_ = "a subscriber hears of " + std::string(port) + ", which has not changed";
      }
    };
    write_config();
    main_.start([] {
      const portsyncd::Options options;
      const auto load = [&options] { return portsyncd::load_config(options, portsyncd::os::environment()); };
      return portsyncd::run_daemon(load(), load, portsyncd::App::Output::redis);
    });
    if (!main_.running() && main_.status() != portsyncd::exit_clean) {
      throw std::system_error(std::make_error_code(std::errc::io_error), last_error_);
    }
  }
  // As by SIGKILL.
  ~AppProcess() override {
    main_.kill();
    host_.on_notification = nullptr;
    host_.on_log = nullptr;
    host_.on_port_changed = nullptr;
  }

  [[nodiscard]] bool ready() const override { return main_.ready() || watchdog_is_late(); }

  [[nodiscard]] std::error_code turn() override {
    if (main_.ready()) main_.resume();
    if (watchdog_is_late()) {
      lie_ = "the watchdog was not pinged for " + std::to_string((now() - last_ping_) / millisecond) + " ms";
      last_ping_ = now();
    }
    if (!main_.running()) return on_end(*main_.status());
    check_status();
    return {};
  }

  [[nodiscard]] std::optional<portsync::Health> health() const override {
    if (host_.control == nullptr) return std::nullopt;
    return host_.control->health();
  }

  void set_filter(const portsync::PortFilter& filter) override {
    filter_ = filter;
    write_config();
    host_.send_signal(SIGHUP);
  }
  void resync(bool force) override {
    host_.ask([force, this](portsyncd::Control& control) {
      if (control.resync(force, {"uid=0"})) lie_ = "resync refused";
    });
  }
  void audit(portsync::Scope) override {
    host_.ask([](portsyncd::Control& control) { (void)control.audit({"uid=0"}); });
  }

  void stop() override {
    stopping_ = true;
    host_.send_signal(SIGTERM);
  }
  [[nodiscard]] bool stopped() const override { return !main_.running(); }
  [[nodiscard]] std::string describe() const override;

 private:
  [[nodiscard]] Time now() const { return World::current().now(); }
  // SONiC's containers have supervisord.
  [[nodiscard]] bool managed() const { return !setup_.sonic; }
  [[nodiscard]] bool watchdog_is_late() const {
    return managed() && main_.running() && now() - last_ping_ > watchdog_limit;
  }

  void write_config() {
    host_.write_file(portsyncd::default_config_file, config_text(setup_, filter_, setup_.sonic ? "debug" : "warn"));
  }

  // Only in sonic mode does portsyncd end by itself, so that swss restarts as a whole.
  std::error_code on_end(int status) {
    if (stopping_)
      return status == portsyncd::exit_clean ? std::error_code() : std::make_error_code(std::errc::io_error);
    ended_ = "it ends with " + std::to_string(status) + ": " + last_error_;
    if (status == portsyncd::exit_temporary || last_error_.find("loads these ports") != std::string::npos) return {};
    lie_ = ended_;
    return {};
  }

  void on_notification(std::string_view message);
  void on_log(int level, std::string_view line);
  void check_status();

  Host& host_ = Machine::current().host;
  const Setup& setup_;
  portsync::PortFilter filter_;
  OnLinkSetDown on_link_set_down_;
  std::string status_;  // as systemd has it
  std::string last_error_;
  Time last_ping_ = 0;  // at first: when the process started
  bool ready_ = false;
  bool reloading_ = false;
  bool stopping_ = false;
  portsync::Health health_;  // that status_ was compared with
  MainThread main_;
};

void AppProcess::on_notification(std::string_view message) {
  while (!message.empty()) {
    const std::string_view line = message.substr(0, message.find('\n'));
    message.remove_prefix(std::min(message.size(), line.size() + 1));
    if (line == "WATCHDOG=1") last_ping_ = now();
    if (line == "READY=1") {
      ready_ = true;
      reloading_ = false;
    }
    if (line == "RELOADING=1") reloading_ = true;
    if (line.starts_with("STATUS=")) {
      status_ = line.substr(7);
      health_ = {};
      health_.reason = "?";
    }
  }
}

void AppProcess::on_log(int level, std::string_view line) {
  if (level >= static_cast<int>(portsyncd::log::Level::error)) last_error_ = line;
  if (line.starts_with("Link of an earlier swss set down")) on_link_set_down_(number_after(line, "ifindex="));
}

// systemd has the daemon's own verdict.
void AppProcess::check_status() {
  if (!managed() || stopping_) return;
  if (!ready_ && now() > host_.process_start + ready_limit + 2 * second) {
    lie_ = "READY=1 was not sent";
  }
  if (host_.control == nullptr || now() < first_comparison) return;
  if (reloading_) lie_ = "RELOADING=1, and no READY=1 after it";
  portsync::Health health = host_.control->health();
  if (health == health_) return;
  if (to_string(health) == status_) {
    health_ = std::move(health);
  } else {
    lie_ = "STATUS=" + status_ + ", and the health is " + to_string(health);
  }
}

std::string AppProcess::describe() const {
  std::ostringstream out;
  if (host_.control == nullptr) return "no control\n";
  const auto statistics = host_.control->statistics();
  out << "health: " << to_string(host_.control->health()) << "\nSTATUS: " << status_ << "\nports "
      << statistics.sync.ports << " pending " << statistics.sync.pending << " audits " << statistics.sync.audits
      << " links " << statistics.source.links << " open " << statistics.sink.open
      << "\nlast error: " << statistics.sink.last_error << '\n';
  return out.str();
}

}  // namespace

std::unique_ptr<Process> make_app_process(const Setup& setup, const portsync::PortFilter& filter,
                                          Process::OnLinkSetDown on_link_set_down) {
  return std::make_unique<AppProcess>(setup, filter, std::move(on_link_set_down));
}

}  // namespace sim
