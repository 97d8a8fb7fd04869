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

// Why a request was not carried out.
struct ControlError {
  enum class Kind : std::uint8_t { no_such_port, invalid_argument, not_possible, failed };
  Kind kind = Kind::failed;
  std::string text;
};

// The requests that the running daemon accepts. The unix socket, D-Bus and the metrics are faces of this one object.
// The faces check which clients may make a request.
class Control {
 public:
  using WallClock = std::chrono::system_clock;
  using Outcome = std::optional<ControlError>;  // std::nullopt: done

  // Objects and functions of the App. All of them outlive the Control.
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
    std::string store_error;  // the latest error; "" = none yet
    bool store_open = false;
    std::size_t ports = 0;
    std::size_t pending = 0;
    std::uint64_t flaps = 0;  // of all ports, since the start
    std::int64_t pid = 0;
    WallClock::time_point started;
    std::optional<WallClock::time_point> last_resync;  // when the newest snapshot of the links was complete
    // When all rows were last read back and compared; std::nullopt: not since the store was opened.
    std::optional<WallClock::time_point> compared;
    std::string log_level;
  };

  using Transition = portsync::HealthTransition;

  // A row was written (`now`) or removed (`now` is nullptr). `before` is nullptr if there was no row or it is unknown.
  // Valid only during the call.
  struct PortChange {
    std::string_view port;
    const portsync::PortRecord* before = nullptr;
    const portsync::PortRecord* now = nullptr;
    portsync::Cause cause = portsync::Cause::notified;
    std::uint64_t events = 0;
    std::chrono::microseconds latency{0};
  };

  // One row as check() read it from the store. Valid only during the call.
  struct RowCheck {
    const portsync::PortRecord* row = nullptr;  // nullptr: there is no row, or `error` has the reason
    std::string error;                          // the store's own words; "" = the row was read
    WallClock::time_point time;
  };

  // Receives events from the loop after they happened. Must return quickly, because rows wait meanwhile.
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

  // The client that requests a change, as the log shows it: "uid=0 pid=4711".
  struct Requester {
    std::string text;
  };

  explicit Control(Daemon daemon);

  [[nodiscard]] Status status() const;
  // Returns the ports whose names match the shell glob; all ports if it is empty. Sorts them by name_less(): Ethernet4
  // before Ethernet12. They are valid until control returns to the loop.
  [[nodiscard]] std::vector<portsync::PortStatus> ports(const std::string& pattern = {}) const;
  // Returns all ports, unsorted. Callers that ask often use this, because sorting thousands takes milliseconds.
  [[nodiscard]] std::vector<portsync::PortStatus> ports_in_no_order() const { return daemon_.synchronizer.ports(); }
  // Returns the names of the ports that match, unsorted.
  [[nodiscard]] std::vector<std::string> names(const std::string& pattern) const;
  [[nodiscard]] std::optional<portsync::PortStatus> port(std::string_view name) const;
  // Reads the row of this port from the store. Calls the handler once: before check() returns, or from the loop when
  // the store has replied. The handler must not throw. Returns a number for forget(). If it throws (no memory), the
  // handler is forgotten.
  using CheckHandler = std::function<void(const RowCheck& check)>;
  std::uint64_t check(std::string_view name, CheckHandler handler);
  // Drops the handler of this check(). It is not called any more.
  void forget(std::uint64_t check);
  // Returns Status::compared.
  [[nodiscard]] std::optional<WallClock::time_point> compared() const;
  [[nodiscard]] Statistics statistics() const;
  [[nodiscard]] portsync::Health health() const { return daemon_.monitor.overall(); }
  // Returns the last 100 changes of the verdict or its reason, oldest first.
  [[nodiscard]] std::vector<Transition> health_history() const;

  // Each of the following logs the requester.
  // Requests a new snapshot of the links. With `force`, removes rows even if no link has ever matched.
  [[nodiscard]] Outcome resync(bool force, const Requester& requester);
  // Starts to read back all rows and to compare them.
  [[nodiscard]] Outcome audit(const Requester& requester);
  [[nodiscard]] Outcome reload(const Requester& requester);
  // Sets the level until the next reload that sets it, or until the next start.
  [[nodiscard]] Outcome set_log_level(std::string_view level, const Requester& requester);

  // An observer must be removed before it is destroyed, unless the Control is destroyed first.
  void add_observer(Observer& observer) { observers_.push_back(&observer); }
  void remove_observer(Observer& observer) { std::erase(observers_, &observer); }

  // Receive the library's events. Only the App calls them.
  void on_event(const portsync::SyncEvent& event);
  void on_health(const portsync::Health& before, const portsync::Health& now);

 private:
  Daemon daemon_;
  WallClock::time_point started_;
  std::optional<WallClock::time_point> last_resync_;
  std::vector<Observer*> observers_;

  struct Check {
    std::uint64_t number = 0;
    std::string port;
    CheckHandler handler;
  };
  void on_checked(const portsync::SyncEvent& event);
  std::vector<Check> checks_;  // without a reply so far
  std::uint64_t checks_made_ = 0;
};

// Converts a time of the monotonic clock to wall-clock time, for people.
[[nodiscard]] Control::WallClock::time_point wall_time(portsync::TimePoint time);

// Compares names by the numbers in them, as people do. Does not use strverscmp(3), because that takes 04 for a fraction
// and sorts it before 0.
[[nodiscard]] bool name_less(std::string_view a, std::string_view b) noexcept;

}  // namespace portsyncd
