// SPDX-License-Identifier: Apache-2.0
#include "sim/process.hpp"

#include <portsync/link_source.hpp>
#include <portsync/netlink/link_control.hpp>
#include <portsync/netlink/link_source.hpp>
#include <portsync/redis/state_sink.hpp>
#include <portsync/sonic/port_loader.hpp>
#include <portsync/state_sink.hpp>
#include <sstream>

#include "sim/world.hpp"

namespace sim {
namespace {

std::chrono::milliseconds milliseconds(Time time) {
  return std::chrono::milliseconds(time / millisecond);
}

portsync::redis::ConnectionOptions connection_options(const Setup& setup, int database) {
  portsync::redis::ConnectionOptions connection;
  if (setup.tcp) {
    connection.host = setup.by_name ? server_name : "127.0.0.1";
  } else {
    connection.socket_path = server_address(setup);
  }
  connection.database = database;
  connection.client_name = "portsyncd-sim-1";
  connection.timeout = milliseconds(setup.timeout);
  connection.retry_interval = milliseconds(setup.retry_interval);
  connection.probe_interval = std::chrono::milliseconds(5000);
  return connection;
}

portsync::redis::StateSinkOptions sink_options(const Setup& setup) {
  portsync::redis::StateSinkOptions options;
  options.connection = connection_options(setup, 6);
  options.index = setup.index;
  if (setup.whole_key) options.erase = portsync::redis::EraseMode::whole_key;
  return options;
}

// Sets a member only if the library has it, so that older libraries compile.
template <typename Options>
void set_newer_options(Options& options, const Setup& setup) {
  if constexpr (requires { options.full_audit_every = 1; }) {
    options.full_audit_every = static_cast<decltype(options.full_audit_every)>(setup.full_audit_every);
  }
}

portsync::SynchronizerOptions sync_options(const Setup& setup, const portsync::PortFilter& filter) {
  portsync::SynchronizerOptions options;
  options.filter = filter;
  options.max_event_queue = setup.max_event_queue;
  options.retry_interval = milliseconds(setup.retry_interval);
  options.audit_interval = milliseconds(setup.audit_interval);
  options.replace_on_new_ifindex = setup.whole_key;
  set_newer_options(options, setup);
  return options;
}

// Wired as portsyncd wires them, in mirror or in sonic mode.
class LibraryProcess final : public Process {
 public:
  LibraryProcess(const Setup& setup, const portsync::PortFilter& filter, OnLinkSetDown on_link_set_down);

  [[nodiscard]] bool ready() const override;
  [[nodiscard]] std::error_code turn() override;
  [[nodiscard]] std::optional<portsync::Health> health() const override { return monitor_->overall(); }
  void set_filter(const portsync::PortFilter& filter) override;
  void resync(bool force) override {
    if (sync_->resync(force)) lie_ = "resync() refused";
  }
  void audit(portsync::Scope scope) override { (void)sync_->audit(scope); }
  void stop() override;
  [[nodiscard]] bool stopped() const override { return sync_->drained(); }
  [[nodiscard]] std::string describe() const override;

 private:
  void make_loader(const Setup& setup);
  void on_loader_event(const portsync::sonic::LoaderEvent& event);
  void set_condition(portsync::Verdict verdict, const std::string& reason);

  portsync::SynchronizerOptions options_;
  OnLinkSetDown on_link_set_down_;
  std::unique_ptr<portsync::HealthMonitor> monitor_;
  std::unique_ptr<portsync::LinkSource> source_;
  std::unique_ptr<portsync::sonic::PortLoader> loader_;  // sonic mode
  std::unique_ptr<portsync::StateSink> sink_;
  std::unique_ptr<portsync::Synchronizer> sync_;
};

LibraryProcess::LibraryProcess(const Setup& setup, const portsync::PortFilter& filter, OnLinkSetDown on_link_set_down)
    : options_(sync_options(setup, filter)),
      on_link_set_down_(std::move(on_link_set_down)),
      monitor_(portsync::make_health_monitor({})) {
  portsync::netlink::Options netlink;
  netlink.receive_buffer_bytes = setup.receive_buffer;
  source_ = portsync::netlink::make_link_source(netlink);
  const auto redis = sink_options(setup);
  sink_ = portsync::redis::make_state_sink(redis);
  if (setup.sonic) make_loader(setup);
  sync_ = std::make_unique<portsync::Synchronizer>(loader_ ? loader_->links() : *source_, options_);
  sync_->add_sink(*sink_, portsync::redis::make_projection(redis), "redis");
  sync_->set_health_monitor(*monitor_);
  if (const std::error_code error = sync_->start()) throw std::system_error(error, "start");
  if (!loader_) return;
  set_condition(portsync::Verdict::degraded, "waiting for " + loader_->waiting_for());
  if (const std::error_code error = loader_->start([this](const auto& event) { on_loader_event(event); })) {
    throw std::system_error(error, "start");
  }
}

void LibraryProcess::make_loader(const Setup& setup) {
  portsync::sonic::PortLoaderOptions options;
  options.config_db = {connection_options(setup, 4), "|"};
  options.appl_db = {connection_options(setup, 0), ":"};
  options.state_db = {connection_options(setup, 6), "|"};
  options.filter.match = options_.filter.match;
  options.loader_name_prefix = "portsyncd-sim-";
  options.rows_are_stored = [this] { return sink_->statistics().open && sync_->drained(); };
  // It runs in a thread that may outlive the process, so it owns its socket.
  const auto control = std::make_shared<std::unique_ptr<portsync::netlink::LinkControl>>();
  options.set_link_down = [control](std::int32_t ifindex) -> std::error_code {
    try {
      if (!*control) *control = std::make_unique<portsync::netlink::LinkControl>();
      return (*control)->set_down(ifindex);
    } catch (const std::system_error& error) {
      return error.code();
    }
  };
  loader_ = portsync::sonic::make_port_loader(*source_, std::move(options));
}

void LibraryProcess::set_condition(portsync::Verdict verdict, const std::string& reason) {
  monitor_->set_condition("ports", {verdict, reason});
}

// As portsyncd's SonicMode does.
void LibraryProcess::on_loader_event(const portsync::sonic::LoaderEvent& event) {
  using Kind = portsync::sonic::LoaderEvent::Kind;
  const std::string text(event.text);
  switch (event.kind) {
    case Kind::waiting:
      return set_condition(portsync::Verdict::degraded, "waiting for " + text);
    case Kind::link_set_down:
      return on_link_set_down_(event.ifindex);
    case Kind::running:
    case Kind::resumed:
    case Kind::port_init_done:
      return set_condition(portsync::Verdict::healthy, "");
    case Kind::ports_missing:
    case Kind::refused:
      return set_condition(portsync::Verdict::degraded, text);
    case Kind::data_lost:
    case Kind::another_loader:
    case Kind::config_done_gone:
      ended_ = "the loader ends it: " + text;
      return;
    default:
      return;
  }
}

bool LibraryProcess::ready() const {
  const World& world = World::current();
  return world.file(sync_->fd())->ready() != 0 || (loader_ && world.file(loader_->fd())->ready() != 0);
}

std::error_code LibraryProcess::turn() {
  const World& world = World::current();
  if (world.file(sync_->fd())->ready() != 0) {
    if (const std::error_code error = sync_->process()) return error;
    if (loader_) loader_->rows_may_be_stored();
  }
  if (loader_ && world.file(loader_->fd())->ready() != 0) return loader_->process();
  return {};
}

void LibraryProcess::stop() {
  if (loader_) loader_->stop();
  sync_->stop();
}

void LibraryProcess::set_filter(const portsync::PortFilter& filter) {
  options_.filter = filter;
  sync_->set_options(options_);
}

std::string LibraryProcess::describe() const {
  std::ostringstream out;
  const auto sync = sync_->statistics();
  const auto source = source_->statistics();
  const auto sink = sink_->statistics();
  out << "health: " << to_string(monitor_->overall()) << "\nports " << sync.ports << " pending " << sync.pending << " audits "
      << sync.audits << " drift " << sync.drift_repaired << " snapshots " << sync.snapshots << " links " << source.links
      << " overruns " << source.overruns << " interrupted " << source.interrupted << " open " << sink.open
      << " opens " << sink.opens << " timeouts " << sink.timeouts << "\nlast error: " << sink.last_error << '\n';
  return out.str();
}

}  // namespace

std::string server_address(const Setup& setup) {
  return setup.tcp ? "127.0.0.1:6379" : "/redis.sock";
}

std::unique_ptr<Process> make_library_process(const Setup& setup, const portsync::PortFilter& filter,
                                              Process::OnLinkSetDown on_link_set_down) {
  return std::make_unique<LibraryProcess>(setup, filter, std::move(on_link_set_down));
}

}  // namespace sim
