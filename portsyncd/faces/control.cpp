// SPDX-License-Identifier: Apache-2.0
#include "faces/control.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <iterator>
#include <portsync/version.hpp>
#include <utility>

#include "log/log.hpp"
#include "os/system.hpp"

namespace portsyncd {
namespace {

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// Removes and returns the number at the beginning of the text, or one byte if there is no number.
std::string_view take_part(std::string_view& text) noexcept {
  std::size_t size = 0;
  while (size < text.size() && is_digit(text[size])) ++size;
  const std::string_view part = text.substr(0, std::max<std::size_t>(size, 1));
  text.remove_prefix(part.size());
  return part;
}

std::string_view without_zeros(std::string_view digits) noexcept {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

void log_request(std::string_view what, const Control::Requester& requester, log::Level level = log::Level::info) {
  if (!log::enabled(level)) return;
  log::write(level, std::string(what) + ": requested by " + requester.text);
}

}  // namespace

bool name_less(std::string_view a, std::string_view b) noexcept {
  const std::string_view whole_a = a;
  const std::string_view whole_b = b;
  while (!a.empty() && !b.empty()) {
    const std::string_view part_a = take_part(a);
    const std::string_view part_b = take_part(b);
    if (is_digit(part_a[0]) && is_digit(part_b[0])) {
      const std::string_view number_a = without_zeros(part_a);
      const std::string_view number_b = without_zeros(part_b);
      if (number_a.size() != number_b.size()) return number_a.size() < number_b.size();
      if (number_a != number_b) return number_a < number_b;
    } else if (part_a != part_b) {
      return part_a < part_b;
    }
  }
  if (a.empty() != b.empty()) return a.empty();
  return whole_a < whole_b;  // they differ only in leading zeros
}

Control::WallClock::time_point wall_time(portsync::TimePoint time) {
  const auto ago = os::now() - time;
  return os::wall_time() - std::chrono::duration_cast<Control::WallClock::duration>(ago);
}

Control::Control(Daemon daemon) : daemon_(std::move(daemon)), started_(os::wall_time()) {}

Control::Status Control::status() const {
  const Statistics statistics = daemon_.statistics();
  Status status;
  status.health = health();
  status.version = portsync::version();
  status.mode = daemon_.mode;
  status.store = daemon_.store;
  status.store_error = statistics.sink.last_error;
  status.store_open = statistics.sink.open;
  status.ports = statistics.sync.ports;
  status.pending = statistics.sync.pending;
  for (const portsync::PortStatus& port : daemon_.synchronizer.ports()) status.flaps += port.flaps.total;
  status.pid = os::process_id();
  status.started = started_;
  status.last_resync = last_resync_;
  status.compared = compared();
  status.log_level = log::to_string(log::level());
  return status;
}

std::vector<portsync::PortStatus> Control::ports(const std::string& pattern) const {
  std::vector<portsync::PortStatus> ports = daemon_.synchronizer.ports();
  if (!pattern.empty()) {
    std::erase_if(ports, [&pattern](const portsync::PortStatus& port) {
      return ::fnmatch(pattern.c_str(), port.link->name.c_str(), 0) != 0;
    });
  }
  std::sort(ports.begin(), ports.end(), [](const auto& a, const auto& b) { return name_less(a.name, b.name); });
  return ports;
}

std::vector<std::string> Control::names(const std::string& pattern) const {
  std::vector<std::string> names;
  for (const portsync::PortStatus& port : daemon_.synchronizer.ports()) {
    if (pattern.empty() || ::fnmatch(pattern.c_str(), port.link->name.c_str(), 0) == 0) names.emplace_back(port.name);
  }
  return names;
}

std::optional<portsync::PortStatus> Control::port(std::string_view name) const {
  return daemon_.synchronizer.port(name);
}

std::uint64_t Control::check(std::string_view name, CheckHandler handler) {
  const std::uint64_t number = ++checks_made_;
  checks_.push_back({number, std::string(name), std::move(handler)});
  try {
    if (const std::error_code error = daemon_.synchronizer.check(name)) {
      on_checked({.kind = portsync::SyncEvent::Kind::row_checked, .port = name, .error = error});
    }
  } catch (...) {  // no memory: the caller has no number to forget it by
    forget(number);
    throw;
  }
  return number;
}

void Control::forget(std::uint64_t check) {
  std::erase_if(checks_, [check](const Check& made) { return made.number == check; });
}

// Removes the checks from the list before it calls the handlers, because a handler may call check() again.
void Control::on_checked(const portsync::SyncEvent& event) {
  RowCheck check;
  check.row = event.record;
  check.time = os::wall_time();
  if (event.error) {
    check.error = event.text.empty() ? event.error.message() : std::string(event.text);
  }
  const auto answered = std::stable_partition(checks_.begin(), checks_.end(),
                                              [&event](const Check& made) { return made.port != event.port; });
  std::vector<Check> handlers(std::make_move_iterator(answered), std::make_move_iterator(checks_.end()));
  checks_.erase(answered, checks_.end());
  for (const Check& made : handlers) made.handler(check);
}

std::optional<Control::WallClock::time_point> Control::compared() const {
  const auto compared = daemon_.synchronizer.statistics().last_compared;
  return compared ? std::optional(wall_time(*compared)) : std::nullopt;
}

Statistics Control::statistics() const {
  return daemon_.statistics();
}

std::vector<Control::Transition> Control::health_history() const {
  return daemon_.monitor.history();
}

Control::Outcome Control::resync(bool force, const Requester& requester) {
  log_request(force ? "Resync with force" : "Resync", requester);
  if (const std::error_code error = daemon_.synchronizer.resync(force)) {
    return ControlError{ControlError::Kind::failed, error.message()};
  }
  return std::nullopt;
}

Control::Outcome Control::audit(const Requester& requester) {
  log_request("Audit", requester);
  if (const std::error_code error = daemon_.synchronizer.audit(portsync::Scope::all)) {
    return ControlError{ControlError::Kind::failed, error.message()};
  }
  return std::nullopt;
}

Control::Outcome Control::reload(const Requester& requester) {
  log_request("Reload", requester);
  return daemon_.reload();
}

// Logs the request at a level that is not filtered, so that the line appears unless both levels are off.
Control::Outcome Control::set_log_level(std::string_view level, const Requester& requester) {
  const auto parsed = log::parse_level(level);
  if (!parsed) {
    return ControlError{ControlError::Kind::invalid_argument,
                        "found the level \"" + std::string(level) + "\", expected " + std::string(log::level_names)};
  }
  const log::Level before = log::level();
  const std::string what = std::string("Log level ") + log::to_string(*parsed) + ", was " + log::to_string(before);
  const bool was_off = before == log::Level::off;
  if (!was_off) log_request(what, requester, std::max(log::Level::info, before));
  log::set_level(*parsed);
  if (was_off && *parsed != log::Level::off) log_request(what, requester, std::max(log::Level::info, *parsed));
  return std::nullopt;
}

void Control::on_event(const portsync::SyncEvent& event) {
  using Kind = portsync::SyncEvent::Kind;
  switch (event.kind) {
    case Kind::row_written:
    case Kind::row_erased: {
      const PortChange change{event.port, event.before, event.record, event.cause, event.count, event.latency};
      for (Observer* observer : observers_) observer->on_port_changed(change);
      break;
    }
    case Kind::snapshot_completed:
      last_resync_ = os::wall_time();
      for (Observer* observer : observers_) {
        observer->on_resynchronized(event.cause, static_cast<std::size_t>(event.count));
      }
      break;
    case Kind::sink_opened:
    case Kind::sink_closed:
      for (Observer* observer : observers_) observer->on_store_changed(event.kind == Kind::sink_opened);
      break;
    case Kind::row_refused:
    case Kind::rows_left_alone:
    case Kind::fields_lost:
    case Kind::audit_completed:
    case Kind::queue_collapsed:
    case Kind::store_trouble:
    case Kind::synchronized:
      break;
    case Kind::row_checked:
      on_checked(event);
      break;
  }
}

void Control::on_health(const portsync::Health& before, const portsync::Health& now) {
  const Transition transition{before, now, os::now(), os::wall_time()};
  for (Observer* observer : observers_) observer->on_health_changed(transition);
}

}  // namespace portsyncd
