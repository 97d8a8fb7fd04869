// SPDX-License-Identifier: Apache-2.0
#include "log/event_log.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/row_fields.hpp"

namespace portsyncd {
namespace {

using portsync::SyncEvent;
using Kind = SyncEvent::Kind;

// The words that lines use for a row's fields, and the fields' names.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> shown_fields{{
    {"admin", "admin_status"},
    {"oper", "netdev_oper_status"},
    {"mtu", "mtu"},
}};

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string_view value_of(const portsync::PortRecord* record, std::string_view name) {
  const std::string* value = record == nullptr ? nullptr : find_field(*record, name);
  return value == nullptr ? "unknown" : shown_value(*value);
}

// Formats a row for the journal's fields.
std::string row(const portsync::PortRecord& record) {
  std::string text;
  for (const auto& [name, field] : shown_fields) {
    (((text += text.empty() ? "" : " ") += name) += '=') += value_of(&record, field);
  }
  return text;
}

LogLine written_line(const SyncEvent& event) {
  LogLine line("Received event");
  line.add("port", event.port).add("cause", to_string(event.cause));
  for (const auto& [name, field] : shown_fields) line.add(name, value_of(event.record, field));
  if (event.record != nullptr) line.field("NEW", row(*event.record));
  return line;
}

LogLine row_line(const SyncEvent& event) {
  const bool written = event.kind == Kind::row_written;
  LogLine line = written ? written_line(event) : std::move(LogLine("Row removed").add("port", event.port));
  line.add("events", event.count).add("latency_us", event.latency.count());
  line.field("PORT", std::string(event.port)).field("LATENCY_US", std::to_string(event.latency.count()));
  if (event.before != nullptr) line.field("OLD", row(*event.before));
  return line;
}

// Returns the store's own words, because they say more than the error code. If there are none, returns the code's
// message or "closed".
std::string reason(const SyncEvent& event) {
  if (!event.text.empty()) return std::string(event.text);
  return event.error ? event.error.message() : "closed";
}

log::Level level_of(const SyncEvent& event) {
  using log::Level;
  switch (event.kind) {
    case Kind::row_written:
    case Kind::row_erased:
    case Kind::sink_opened:
    case Kind::synchronized:
      return Level::info;
    case Kind::row_refused:
    case Kind::sink_closed:
    case Kind::rows_left_alone:
    case Kind::fields_lost:
      return Level::warning;
    case Kind::row_checked:
    case Kind::snapshot_completed:
      return event.cause == portsync::Cause::initial ? Level::info : Level::debug;
    case Kind::audit_completed:
      return event.count > 0 ? Level::warning : Level::debug;
    case Kind::store_trouble:
      return event.text.empty() ? Level::info : Level::warning;
    case Kind::queue_collapsed:
      break;
  }
  return Level::debug;
}

log::Level level_of(portsync::Verdict verdict, EventLog::Phase phase) {
  switch (verdict) {
    case portsync::Verdict::healthy:
      return log::Level::info;
    case portsync::Verdict::degraded:
      return phase == EventLog::Phase::starting ? log::Level::info : log::Level::warning;
    case portsync::Verdict::unhealthy:
      break;
  }
  return log::Level::error;
}

}  // namespace

EventLog::EventLog(std::chrono::microseconds max_latency, std::chrono::seconds retry_interval, Writer writer)
    : max_latency_(max_latency), retry_interval_(retry_interval), writer_(std::move(writer)) {}

// Checks the level first and then the token bucket, and builds the line last, so that an unwanted line costs nothing.
void EventLog::on_event(const SyncEvent& event, TimePoint now) {
  const bool is_row = event.kind == Kind::row_written || event.kind == Kind::row_erased;
  if (is_row && event.latency > max_latency_) note_latency(event, now);
  const log::Level level = level_of(event);
  if (!log::enabled(level)) return;
  if ((is_row || event.kind == Kind::row_refused) && !may_log_row(level, now)) return;
  write(level, line_of(event));
}

LogLine EventLog::line_of(const SyncEvent& event) const {
  const std::string sink(event.sink);
  const auto trouble = [&] {
    return ": " + reason(event) + "; trying again every " + std::to_string(retry_interval_.count()) + " s";
  };
  switch (event.kind) {
    case Kind::row_written:
    case Kind::row_erased:
      return row_line(event);
    case Kind::row_refused:
      return std::move(
          LogLine(sink + " refuses " + std::string(event.port) + trouble()).field("PORT", std::string(event.port)));
    case Kind::sink_opened:
      return LogLine("Connected to " + sink);
    case Kind::sink_closed:
      return LogLine("Not connected to " + sink + trouble());
    case Kind::snapshot_completed:
      return std::move(LogLine("Snapshot completed").add("cause", to_string(event.cause)).add("ports", event.count));
    case Kind::rows_left_alone:
      return LogLine("No netdev matches: " + std::to_string(event.count) + " rows of " + sink + " left alone");
    case Kind::fields_lost:
      return LogLine("The row of " + std::string(event.port) +
                     " was removed late, and with it other writers' fields: " + join(*event.fields));
    case Kind::audit_completed:
      return std::move(LogLine("Audit of " + sink).add("repaired", event.count));
    case Kind::store_trouble:
      return LogLine(event.text.empty() ? "Trouble with " + sink + " is over"
                                        : "Trouble with " + sink + ": " + std::string(event.text));
    case Kind::queue_collapsed:
      return LogLine("Queue of " + sink + " is full: comparing all ports");
    case Kind::row_checked:
      return std::move(LogLine("Row checked").add("port", event.port));
    case Kind::synchronized:
      break;
  }
  return LogLine("Synchronized: every row equals the kernel");
}

bool EventLog::may_log_row(log::Level level, TimePoint now) {
  if (rows_.take(now)) {
    flush_rows();
    return true;
  }
  suppressed_level_ = std::max(suppressed_level_, level);
  ++suppressed_;
  return false;
}

void EventLog::note_latency(const SyncEvent& event, TimePoint now) {
  ++slow_rows_;
  if (event.cause == portsync::Cause::initial) return;  // thousands of rows at a start take longer
  if (!log::enabled(log::Level::warning) || !slow_warnings_.take(now)) return;
  write(log::Level::warning, LogLine("Slow row")
                                 .add("port", event.port)
                                 .add("latency_us", event.latency.count())
                                 .add("max_latency_us", max_latency_.count())
                                 .add("slow_rows", slow_rows_)
                                 .field("PORT", std::string(event.port))
                                 .field("LATENCY_US", std::to_string(event.latency.count())));
}

void EventLog::on_health(const portsync::Health& before, const portsync::Health& health, Phase phase, TimePoint now) {
  // A reason that contains a count may change often. If it does, only the newest is logged, later. A change of the
  // verdict is always logged.
  const bool allowed = health_reasons_.take(now);
  Transition transition{holds_back_health_ ? held_back_.before : before, health, phase};
  holds_back_health_ = before.verdict == health.verdict && !allowed;
  if (holds_back_health_) {
    held_back_ = std::move(transition);
  } else {
    write_health(transition);
  }
}

void EventLog::write_health(const Transition& transition) {
  const log::Level level = level_of(transition.health.verdict, transition.phase);
  if (!log::enabled(level)) return;
  const std::string health = to_string(transition.health);
  write(level, LogLine("Health " + health).field("OLD", to_string(transition.before)).field("NEW", health));
}

void EventLog::flush() {
  flush_rows();
  if (std::exchange(holds_back_health_, false)) write_health(held_back_);
}

void EventLog::flush_rows() {
  if (suppressed_ == 0) return;
  write(suppressed_level_, LogLine("Received events").add("suppressed", std::exchange(suppressed_, 0)));
  suppressed_level_ = log::Level::info;
}

}  // namespace portsyncd
