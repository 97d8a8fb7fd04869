// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <portsync/health_monitor.hpp>
#include <portsync/port_status.hpp>
#include <portsync/synchronizer.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "log/statistics_report.hpp"

namespace portsyncd {

// Why something asked for was not done.
struct ControlError {
  enum class Kind : std::uint8_t { no_such_port, invalid_argument, not_possible, failed };
  Kind kind = Kind::failed;
  std::string text;
};

// What may be asked of the daemon, and told to it, while it runs: one object, of which the unix socket, D-Bus and the
// metrics are faces. Who may ask is theirs to know.
class Control {
 public:
  using WallClock = std::chrono::system_clock;
  using Outcome = std::optional<ControlError>;  // std::nullopt: done

  // What the App lends. All of it outlives the Control.
  struct Daemon {
    portsync::Synchronizer& synchronizer;
    const portsync::HealthMonitor& monitor;
    std::function<Statistics()> statistics;
    std::function<Outcome()> reload;
    std::string store;  // "Redis at 127.0.0.1:6379"
    std::string mode;   // sync.mode
  };

  struct Status {
    portsync::Health health;
    std::string version;
    std::string mode;
    std::string store;
    std::string store_error;  // the latest; "" = none yet
    bool store_open = false;
    std::size_t ports = 0;
    std::size_t pending = 0;
    std::uint64_t flaps = 0;  // of all ports, since the start
    std::int64_t pid = 0;
    WallClock::time_point started;
    std::optional<WallClock::time_point> last_resync;  // when the newest snapshot of the links was complete
    // When all rows were last read back and compared; std::nullopt: not yet since the store was opened.
    std::optional<WallClock::time_point> compared;
    std::string log_level;
  };

  using Transition = portsync::HealthTransition;

  // A row was written (`now`) or removed (`now` is nullptr); `before` is nullptr when it was not there or not known.
  // Borrowed for the call.
  struct PortChange {
    std::string_view port;
    const portsync::PortRecord* before = nullptr;
    const portsync::PortRecord* now = nullptr;
    portsync::Cause cause = portsync::Cause::notified;
    std::uint64_t events = 0;
    std::chrono::microseconds latency{0};
  };

  // What the store held of one row when it was read for a question. Borrowed for the call.
  struct RowCheck {
    const portsync::PortRecord* row = nullptr;  // nullptr: no row, or `error` says why it was not read
    std::string error;                          // in the store's own words; "" = the row was read
    WallClock::time_point time;
  };

  // Told from the loop, after the fact. Must be quick: rows wait meanwhile.
  class Observer {
   public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual ~Observer() = default;
    virtual void on_port_changed(const PortChange& change) = 0;
    virtual void on_health_changed(const Transition& transition) = 0;
    virtual void on_resynchronized(portsync::Cause cause, std::size_t ports) = 0;
    virtual void on_store_changed(bool open) = 0;
  };

  // Who asks for a change, as the log shows it: "uid=0 pid=4711".
  struct Requester {
    std::string text;
  };

  explicit Control(Daemon daemon);

  [[nodiscard]] Status status() const;
  // Those whose names match the shell glob, all when it is empty, sorted as people do: Ethernet4 before Ethernet12.
  // Borrowed until the loop turns.
  [[nodiscard]] std::vector<portsync::PortStatus> ports(const std::string& pattern = {}) const;
  // All of them, for who asks often: to sort thousands takes milliseconds.
  [[nodiscard]] std::vector<portsync::PortStatus> ports_in_no_order() const { return daemon_.synchronizer.ports(); }
  // The names alone, in no order.
  [[nodiscard]] std::vector<std::string> names(const std::string& pattern) const;
  [[nodiscard]] std::optional<portsync::PortStatus> port(std::string_view name) const;
  // Reads the row of this port now. The handler is called once: from here, or from the loop when the store has
  // answered. It must not throw. Returns a number for forget().
  using CheckHandler = std::function<void(const RowCheck& check)>;
  std::uint64_t check(std::string_view name, CheckHandler handler);
  // The handler of this check() is not called any more.
  void forget(std::uint64_t check);
  // See Status::compared.
  [[nodiscard]] std::optional<WallClock::time_point> compared() const;
  [[nodiscard]] Statistics statistics() const;
  [[nodiscard]] portsync::Health health() const { return daemon_.monitor.overall(); }
  // The last 100 changes of the verdict or its reason, oldest first.
  [[nodiscard]] std::vector<Transition> health_history() const;

  // Each is logged with who has asked for it.
  // A new snapshot of the links; `force` removes rows even though no link has ever matched.
  [[nodiscard]] Outcome resync(bool force, const Requester& requester);
  // All rows are read back and compared.
  [[nodiscard]] Outcome audit(const Requester& requester);
  [[nodiscard]] Outcome reload(const Requester& requester);
  // Until the next reload that sets it, or the next start.
  [[nodiscard]] Outcome set_log_level(std::string_view level, const Requester& requester);

  // Observers go before the Control does, or take themselves out.
  void add_observer(Observer& observer) { observers_.push_back(&observer); }
  void remove_observer(Observer& observer) { std::erase(observers_, &observer); }

  // For the App alone: what has happened.
  void on_event(const portsync::SyncEvent& event);
  void on_health(const portsync::Health& before, const portsync::Health& now);

 private:
  Daemon daemon_;
  WallClock::time_point started_ = WallClock::now();
  std::optional<WallClock::time_point> last_resync_;
  std::vector<Observer*> observers_;

  struct Check {
    std::uint64_t number = 0;
    std::string port;
    CheckHandler handler;
  };
  void on_checked(const portsync::SyncEvent& event);
  std::vector<Check> checks_;  // not answered yet
  std::uint64_t checks_made_ = 0;
};

// When something that happened at a moment of the monotonic clock was, for people.
[[nodiscard]] Control::WallClock::time_point wall_time(portsync::TimePoint time);

// Less, as people sort names with numbers in them. Not by strverscmp(3): that takes 04 for a fraction and puts it
// before 0.
[[nodiscard]] bool name_less(std::string_view a, std::string_view b) noexcept;

}  // namespace portsyncd
