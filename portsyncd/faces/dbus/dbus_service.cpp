// SPDX-License-Identifier: Apache-2.0
#include "faces/dbus/dbus_service.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <portsync/version.hpp>
#include <set>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/row_fields.hpp"
#include "base/text_check.hpp"
#include "faces/dbus/port_changes.hpp"
#include "faces/dbus/sdbus_compat.hpp"
#include "log/log.hpp"
#include "org.sonic.PortSync1_adaptor.hpp"

namespace portsyncd {
namespace {

using namespace std::chrono_literals;
using sdbus_compat::make_error;

constexpr const char* bus_name = "org.sonic.PortSync1";
constexpr const char* object_path = "/org/sonic/PortSync1";
constexpr const char* interface_name = "org.sonic.PortSync1";

constexpr std::chrono::milliseconds first_pause = 2s;  // between two attempts to get the name
constexpr std::chrono::milliseconds longest_pause = 30s;
constexpr auto call_limit = 5s;  // for the bus to grant the name

constexpr auto signal_period = 50ms;
constexpr std::size_t signals_at_once = 64;       // of ports in one period
constexpr std::size_t most_waiting_ports = 1024;  // about 1 KiB each
constexpr std::size_t most_waiting_transitions = 16;
constexpr auto look_again = 1s;  // while Redis is away: the number of ports then changes without a change of a row

constexpr auto turn_limit = 200us;  // for requests in one turn of the loop; then rows have their turn
constexpr int pause_factor = 9;     // length of the pause after a turn, in turns: the bus gets a tenth of the time

using Row = std::map<std::string, std::string>;
using PortStruct =
    sdbus::Struct<std::string, std::int32_t, std::string, std::string, std::uint32_t, std::string, std::string, bool,
                  std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t>;
using PortResult = sdbus::Result<std::map<std::string, sdbus::Variant>>;
using TransitionStruct = sdbus::Struct<std::uint64_t, std::string, std::string, std::string, std::string>;

// Replaces bytes that are not UTF-8, because the bus closes the connection of a client that sends them. Names of links
// may have any bytes.
std::string to_utf8(std::string text) {
  if (is_utf8(text)) return text;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  return text;
}

std::string to_utf8(std::string_view text) {
  return to_utf8(std::string(text));
}

std::uint64_t microseconds(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

std::uint64_t unix_us(Control::WallClock::time_point time) {
  return microseconds(time.time_since_epoch());
}

std::uint64_t unix_us(const std::optional<Control::WallClock::time_point>& time) {
  return time ? unix_us(*time) : 0;
}

std::uint64_t unix_us(const std::optional<portsync::TimePoint>& time) {
  return time ? unix_us(wall_time(*time)) : 0;
}

Row row_of(const portsync::PortRecord& record) {
  Row row;
  for (const portsync::Field& field : record.fields) {
    if (is_shown(field)) row.emplace(field.name, to_utf8(shown_value(field.value)));
  }
  return row;
}

Row row_of(const PortChanges::Record& record) {
  return record ? row_of(*record) : Row();
}

PortStruct struct_of(const portsync::PortStatus& port) {
  const portsync::LinkState& link = *port.link;
  const portsync::FlapStatistics& flaps = port.flaps;
  return PortStruct{
      std::make_tuple(to_utf8(port.name), link.ifindex, std::string(portsync::up_or_down(link.admin_up())),
                      std::string(portsync::up_or_down(link.running())), link.mtu.value_or(0), to_string(link.address),
                      to_utf8(port.master), port.in_sync, flaps.last_minute, flaps.last_hour, flaps.total,
                      microseconds(flaps.longest_outage), unix_us(flaps.last_change))};
}

std::map<std::string, sdbus::Variant> dictionary_of(const portsync::PortStatus& port, const Control::RowCheck& check) {
  const portsync::LinkState& link = *port.link;
  const portsync::FlapStatistics& flaps = port.flaps;
  std::vector<std::string> alternative_names;
  for (const std::string& name : link.alternative_names) alternative_names.push_back(to_utf8(name));
  std::map<std::string, sdbus::Variant> result;
  const auto add = [&result](const char* name, const auto& value) { result.emplace(name, sdbus::Variant{value}); };
  add("Name", to_utf8(port.name));
  add("Ifindex", link.ifindex);
  add("Admin", std::string(portsync::up_or_down(link.admin_up())));
  add("Oper", std::string(portsync::up_or_down(link.running())));
  add("Operstate", std::string(to_string(link.operstate)));
  add("Mtu", link.mtu.value_or(0));
  add("Mac", to_string(link.address));
  add("Master", to_utf8(port.master));
  add("InSync", port.in_sync && check.error.empty());
  add("FlapsLastMinute", flaps.last_minute);
  add("FlapsLastHour", flaps.last_hour);
  add("FlapsTotal", flaps.total);
  add("LongestOutage", microseconds(flaps.longest_outage));
  add("LastChange", unix_us(flaps.last_change));
  add("Kind", to_utf8(link.kind));
  add("PhysPortName", to_utf8(link.phys_port_name));
  add("AlternativeNames", alternative_names);
  add("Row", check.row == nullptr ? Row() : row_of(*check.row));
  add("RowError", to_utf8(check.error));
  return result;
}

sdbus::Error error_of(const ControlError& error) {
  const auto named = [&error](const char* name) {
    return make_error(std::string("org.sonic.PortSync1.Error.") + name, to_utf8(error.text));
  };
  switch (error.kind) {
    case ControlError::Kind::no_such_port:
      return named("NoSuchPort");
    case ControlError::Kind::invalid_argument:
      return named("InvalidArgument");
    case ControlError::Kind::not_possible:
      return named("NotPossible");
    case ControlError::Kind::failed:
      break;
  }
  return named("Failed");
}

// Converts other exceptions to sdbus::Error, because sdbus-c++ 1.x would let them pass through the C frames of sd-bus.
template <typename Function>
auto guarded(Function function) {
  try {
    return function();
  } catch (const sdbus::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw error_of({ControlError::Kind::failed, error.what()});
  }
}

void done(const Control::Outcome& outcome) {
  if (outcome) throw error_of(*outcome);
}

// The object on the bus. Replies to calls and makes none that it waits for.
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): it is final
class Object final : public sdbus::AdaptorInterfaces<org::sonic::PortSync1_adaptor> {
 public:
  Object(sdbus::IConnection& connection, Control& control, const PortChanges& changes)
      : AdaptorInterfaces(connection, sdbus::ObjectPath{object_path}),
        connection_(connection),
        control_(control),
        changes_(changes) {
    registerAdaptor();
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object() {
    for (const std::uint64_t check : checks_) control_.forget(check);
    unregisterAdaptor();
  }

  // Drops the status that is shared by the properties. GetAll reads one property after another; all then show the same
  // moment and cost one status().
  void forget_status() { status_.reset(); }

  void emit_properties_changed(const std::vector<std::string>& names) {
    sdbus_compat::emit_properties_changed(getObject(), interface_name, names);
  }

 private:
  const Control::Status& status() {
    if (!status_) status_ = guarded([this] { return control_.status(); });
    return *status_;
  }
  Statistics statistics() const {
    return guarded([this] { return control_.statistics(); });
  }

  std::vector<PortStruct> ListPorts() override {
    return guarded([this] {
      std::vector<PortStruct> result;
      const auto ports = control_.ports();
      result.reserve(ports.size());
      for (const portsync::PortStatus& port : ports) result.push_back(struct_of(port));
      return result;
    });
  }
  // Replies when the store has replied, at once or later. The object and the connection may not exist by then.
  void GetPort(PortResult&& result, std::string name) override {
    guarded([this, &result, &name] { get_port(std::move(result), name); });
  }
  void get_port(PortResult&& result, const std::string& name) {
    const auto no_such_port = [name] { return error_of({ControlError::Kind::no_such_port, "no such port: " + name}); };
    if (!control_.port(name)) return result.returnError(no_such_port());
    struct Question {
      PortResult result;
      std::uint64_t check = 0;
      bool answered = false;
    };
    const auto question = std::make_shared<Question>(Question{std::move(result)});
    question->check =
        control_.check(name, [this, question, name, no_such_port](const Control::RowCheck& check) noexcept {
          question->answered = true;
          checks_.erase(question->check);
          try {
            const auto port = control_.port(name);
            if (!port) return question->result.returnError(no_such_port());
            question->result.returnResults(dictionary_of(*port, check));
          } catch (const std::exception&) {  // the bus is lost, which the next turn detects
          }
        });
    if (question->answered) return;
    try {
      checks_.insert(question->check);
    } catch (...) {  // no memory: the destructor would not forget it
      control_.forget(question->check);
      throw;
    }
  }
  std::map<std::string, std::uint64_t> GetStatistics() override {
    return guarded([this] {
      std::map<std::string, std::uint64_t> result;
      for (const auto& [name, value] : values_of(control_.statistics())) result.emplace(name, value);
      return result;
    });
  }
  std::vector<TransitionStruct> GetHealthHistory() override {
    return guarded([this] {
      std::vector<TransitionStruct> result;
      for (const Control::Transition& transition : control_.health_history()) {
        const auto& [before, now, when, time] = transition;
        result.emplace_back(std::make_tuple(unix_us(time), std::string(to_string(now.verdict)), to_utf8(now.reason),
                                            std::string(to_string(before.verdict)), to_utf8(before.reason)));
      }
      return result;
    });
  }
  void Resync(const bool& force) override {
    guarded([this, force] { done(control_.resync(force, requester())); });
  }
  void Audit() override {
    guarded([this] { done(control_.audit(requester())); });
  }
  void Reload() override {
    guarded([this] { done(control_.reload(requester())); });
  }
  void SetLogLevel(const std::string& level) override {
    guarded([this, &level] { done(control_.set_log_level(level, requester())); });
  }

  std::string Health() override { return to_string(status().health.verdict); }
  std::string HealthReason() override { return to_utf8(status().health.reason); }
  std::uint32_t PortCount() override { return static_cast<std::uint32_t>(status().ports); }
  bool RedisConnected() override { return status().store_open; }
  std::uint64_t LastResync() override { return unix_us(status().last_resync); }
  std::uint64_t LastComparison() override { return unix_us(status().compared); }
  std::string Version() override { return portsync::version(); }
  std::uint32_t PendingCount() override { return static_cast<std::uint32_t>(status().pending); }
  std::uint64_t Events() override { return statistics().sync.events; }
  std::uint64_t Writes() override { return statistics().sync.writes; }
  std::uint64_t Failures() override { return statistics().sync.failures; }
  std::uint64_t Flaps() override { return status().flaps; }
  std::uint64_t SignalsDropped() override { return changes_.dropped(); }

  // Returns the client's name on the bus. Also asks the bus for the client's uid and pid, and logs them in a second
  // line when the bus replies. Asks before the client has its reply, because it may disconnect then.
  Control::Requester requester() {
    const std::string client = sdbus_compat::sender_of_message(getObject());
    if (!bus_) bus_ = sdbus_compat::make_proxy(connection_, "org.freedesktop.DBus", "/org/freedesktop/DBus");
    bus_->callMethodAsync("GetConnectionCredentials")
        .onInterface("org.freedesktop.DBus")
        .withArguments(client)
        .uponReplyInvoke([client](sdbus_compat::CallError error, const std::map<std::string, sdbus::Variant>& known) {
          if (!error) guarded([&client, &known] { log_credentials(client, known); });
        });
    return {"D-Bus client " + client};
  }
  static void log_credentials(const std::string& client, const std::map<std::string, sdbus::Variant>& known) {
    const auto number = [&known](const char* name) {
      const auto found = known.find(name);
      return found == known.end() ? std::string("unknown") : std::to_string(found->second.get<std::uint32_t>());
    };
    log::info("D-Bus client " + client + " is uid=" + number("UnixUserID") + " pid=" + number("ProcessID"));
  }

  sdbus::IConnection& connection_;
  Control& control_;
  const PortChanges& changes_;
  std::optional<Control::Status> status_;
  std::unique_ptr<sdbus::IProxy> bus_;  // made when first used
  std::set<std::uint64_t> checks_;      // without a reply so far
};

// One attempt to get the name. Uses a thread, because sdbus-c++ blocks for 25 s or more if the bus hangs. The thread is
// detached and shares the ownership of this object.
class Attempt {
 public:
  struct Result {
    std::unique_ptr<sdbus::IConnection> connection;  // that owns the name
    bool bus_found = false;
    std::string error;
  };

  Attempt() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (event_ < 0) throw std::system_error(errno, std::system_category(), "eventfd");
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  ~Attempt() { ::close(event_); }

  // Starts the thread. It inherits the caller's signal mask, so the signals that the loop handles are blocked in it.
  static std::shared_ptr<Attempt> start() {
    auto attempt = std::make_shared<Attempt>();
    std::thread([attempt] {
      Result result = connect();
      const std::lock_guard lock(attempt->mutex_);
      attempt->result_ = std::move(result);
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(attempt->event_, &one, sizeof one);
    }).detach();
    return attempt;
  }

  // Returns a descriptor that is readable when the result exists.
  [[nodiscard]] int fd() const noexcept { return event_; }

  Result take() {
    const std::lock_guard lock(mutex_);
    return std::move(result_);
  }

 private:
  static Result connect() noexcept {
    Result result;
    try {
      auto connection = sdbus::createSystemBusConnection();
      result.bus_found = true;
      connection->setMethodCallTimeout(call_limit);
      sdbus_compat::request_name(*connection, bus_name);
      result.connection = std::move(connection);
    } catch (const std::exception& error) {
      result.error = error.what();
    }
    return result;
  }

  int event_;
  std::mutex mutex_;
  Result result_;  // the mutex guards it
};

// The properties with EmitsChangedSignal, as the last signal had them.
struct Announced {
  explicit Announced(const Control::Status& status)
      : verdict(status.health.verdict),
        reason(status.health.reason),
        ports(status.ports),
        store_open(status.store_open),
        last_resync(status.last_resync) {}

  [[nodiscard]] std::vector<std::string> differences(const Announced& now) const {
    std::vector<std::string> names;
    if (verdict != now.verdict) names.emplace_back("Health");
    if (reason != now.reason) names.emplace_back("HealthReason");
    if (ports != now.ports) names.emplace_back("PortCount");
    if (store_open != now.store_open) names.emplace_back("RedisConnected");
    if (last_resync != now.last_resync) names.emplace_back("LastResync");
    return names;
  }

  portsync::Verdict verdict;
  std::string reason;
  std::size_t ports;
  bool store_open;
  std::optional<Control::WallClock::time_point> last_resync;
};

}  // namespace

class DbusService::Impl final : public Control::Observer {
 public:
  Impl(EventLoop& loop, Control& control, bool wanted)
      : loop_(loop),
        control_(control),
        wanted_(wanted),
        retry_(loop, [this] { attempt(); }),
        signals_(loop, [this] { emit(); }),
        resume_(loop, [this] { process(); }) {
    control_.add_observer(*this);
    attempt();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() override {
    control_.remove_observer(*this);
    disconnect();
  }

  void on_port_changed(const Control::PortChange& change) override {
    if (!object_) return;
    changes_.add(change.port, change.before, change.now);
    emit_later();
  }
  void on_health_changed(const Control::Transition& transition) override {
    if (!object_) return;
    if (transitions_.size() == most_waiting_transitions) {
      transitions_.back().now = transition.now;
    } else {
      transitions_.push_back(transition);
    }
    emit_later();
  }
  void on_resynchronized(portsync::Cause cause, std::size_t ports) override {
    if (!object_) return;
    resynchronized_.emplace(cause, ports);
    emit_later();
  }
  void on_store_changed(bool) override {
    if (object_) emit_later();
  }

 private:
  // --- connecting and disconnecting ---

  void attempt() {
    try {
      attempt_ = Attempt::start();
      attempt_watch_ =
          std::make_unique<EventLoop::Watch>(loop_, attempt_->fd(), EPOLLIN, [this](std::uint32_t) { attempted(); });
    } catch (const std::system_error& error) {  // no thread or descriptor available
      not_connected(false, error.what());
    }
  }

  void attempted() {
    Attempt::Result result = attempt_->take();
    attempt_watch_.reset();
    attempt_.reset();
    if (!result.connection) return not_connected(result.bus_found, result.error);
    connected(std::move(result.connection));
  }

  void connected(std::unique_ptr<sdbus::IConnection> connection) {
    try {
      connection_ = std::move(connection);
      object_ = std::make_unique<Object>(*connection_, control_, changes_);
      announced_.emplace(control_.status());
      fd_ = ::fcntl(connection_->getEventLoopPollData().fd, F_DUPFD_CLOEXEC, 0);
      if (fd_ < 0) throw std::system_error(errno, std::system_category(), "fcntl(F_DUPFD_CLOEXEC)");
      watch_ = std::make_unique<EventLoop::Watch>(loop_, fd_, 0, [this](std::uint32_t) { process(); });
    } catch (const std::exception& error) {
      disconnect();
      return not_connected(true, error.what());
    }
    log::info(std::string("D-Bus service ") + bus_name + " is on the system bus");
    pause_ = first_pause;
    failure_.clear();
    process();  // calls that came while the name was requested
  }

  void not_connected(bool bus_found, const std::string& error) {
    // A missing bus is logged once, whatever the error, and not again after "lost".
    const std::string failure = bus_found ? error : "no bus";
    if (failure != failure_ && (bus_found || failure_.empty())) {
      const std::string text = (bus_found ? std::string("The system bus refuses ") + bus_name : "No system bus") +
                               ": " + error + "; trying again";
      bus_found || wanted_ ? log::warning(text) : log::info(text);
      failure_ = failure;
    }
    retry_.start(pause_);
    pause_ = std::min(pause_ * 2, longest_pause);
  }

  void lost(const std::string& error) {
    disconnect();
    failure_ = "lost";
    log::warning("The system bus is lost: " + error + "; trying again");
    retry_.start(pause_);
  }

  void disconnect() {
    // The destructor of a connection waits until everything is sent. Without shutdown(), a bus that hangs would block
    // it.
    if (fd_ >= 0) (void)::shutdown(fd_, SHUT_RDWR);
    watch_.reset();
    object_.reset();
    connection_.reset();
    if (fd_ >= 0) (void)::close(std::exchange(fd_, -1));
    signals_.stop();
    will_emit_ = false;
    resume_.stop();
    changes_.clear();
    transitions_.clear();
    resynchronized_.reset();
  }

  // --- replies ---

  void process() {
    const auto begin = portsync::Clock::now();
    const auto limit = begin + turn_limit;
    try {
      do {
        object_->forget_status();
        if (!sdbus_compat::process_one(*connection_)) return watch();
      } while (portsync::Clock::now() < limit);
    } catch (const sdbus::Error& error) {
      return lost(error.what());
    }
    // More calls wait, perhaps read by sd-bus already. Rows come first.
    watch_->set_events(0);
    resume_.start(std::chrono::ceil<std::chrono::milliseconds>((portsync::Clock::now() - begin) * pause_factor));
  }

  [[nodiscard]] bool bus_is_slow() const { return (connection_->getEventLoopPollData().events & POLLOUT) != 0; }

  void watch() { watch_->set_events(EPOLLIN | (bus_is_slow() ? EPOLLOUT : 0U)); }

  // --- signals ---

  void emit_later() {
    if (std::exchange(will_emit_, true)) return;
    signals_.start(signal_period);
  }

  void emit() {
    will_emit_ = false;
    try {
      // Unsent signals stay here, where their number is bounded, and not in sd-bus' queue.
      if (bus_is_slow()) return emit_later();
      emit_all();
      watch();
    } catch (const sdbus::Error& error) {
      return lost(error.what());
    }
    if (!changes_.empty()) return emit_later();
    if (!announced_->store_open) signals_.start(look_again);
  }

  void emit_all() {
    changes_.take(signals_at_once, [this](const std::string& port, const auto& before, const auto& now) {
      object_->emitPortChanged(to_utf8(port), row_of(before), row_of(now));
    });
    for (const auto& [before, now, when, time] : std::exchange(transitions_, {})) {
      object_->emitHealthChanged(to_string(now.verdict), to_utf8(now.reason), to_string(before.verdict),
                                 to_utf8(before.reason));
    }
    if (const auto resync = std::exchange(resynchronized_, std::nullopt)) {
      object_->emitResynchronized(to_string(resync->first), static_cast<std::uint32_t>(resync->second));
    }
    const Announced now(control_.status());
    const auto names = announced_->differences(now);
    if (names.empty()) return;
    object_->forget_status();
    object_->emit_properties_changed(names);
    announced_ = now;
  }

  EventLoop& loop_;
  Control& control_;
  const bool wanted_;

  std::shared_ptr<Attempt> attempt_;
  std::unique_ptr<EventLoop::Watch> attempt_watch_;
  EventLoop::Timer retry_;
  std::chrono::milliseconds pause_ = first_pause;
  std::string failure_;  // as logged last; "" = none since the last connection

  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<Object> object_;
  // A duplicate of the connection's descriptor. sd-bus closes its own as soon as the bus hangs up. The loop must not
  // watch, and disconnect() must not shut down, what has that number next.
  int fd_ = -1;
  std::unique_ptr<EventLoop::Watch> watch_;

  PortChanges changes_{most_waiting_ports};
  std::vector<Control::Transition> transitions_;
  std::optional<std::pair<portsync::Cause, std::size_t>> resynchronized_;
  std::optional<Announced> announced_;
  EventLoop::Timer signals_;
  bool will_emit_ = false;
  EventLoop::Timer resume_;
};

DbusService::DbusService(EventLoop& loop, Control& control, const std::string& enabled)
    : impl_(std::make_unique<Impl>(loop, control, enabled == "true")) {}

DbusService::~DbusService() = default;

}  // namespace portsyncd
