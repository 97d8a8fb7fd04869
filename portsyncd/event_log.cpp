// SPDX-License-Identifier: Apache-2.0
#include "event_log.hpp"

#include <utility>

#include "log_line.hpp"

namespace portsyncd {
namespace {

using portsync::SyncEvent;
using Kind = SyncEvent::Kind;

// A field of the row as it was stored: the link may have changed again since.
std::string_view stored(const SyncEvent& event, std::string_view name) {
  const std::string* value = event.record == nullptr ? nullptr : find_field(*event.record, name);
  if (value == nullptr) return "unknown";
  const std::string_view text = *value;
  const bool quoted = text.size() >= 2 && text.front() == '"';  // a JSON string
  return quoted ? text.substr(1, text.size() - 2) : text;
}

std::string written_line(const SyncEvent& event) {
  LogLine line("Received event");
  line.add("port", event.port).add("cause", to_string(event.cause));
  line.add("admin", stored(event, "admin_status"));
  line.add("oper", stored(event, "netdev_oper_status"));
  line.add("mtu", stored(event, "mtu"));
  return line.add("events", event.count).add("latency_us", event.latency.count()).text();
}

std::string erased_line(const SyncEvent& event) {
  return LogLine("Row removed")
      .add("port", event.port)
      .add("events", event.count)
      .add("latency_us", event.latency.count())
      .text();
}

std::string reason(const std::error_code& error, std::string_view detail) {
  std::string text = error ? error.message() : "closed";
  if (!detail.empty() && !detail.ends_with(text)) ((text += " (") += detail) += ')';
  return text;
}

log::Level level_of(portsync::Verdict verdict) {
  switch (verdict) {
    case portsync::Verdict::healthy:
      return log::Level::info;
    case portsync::Verdict::degraded:
      return log::Level::warning;
    case portsync::Verdict::unhealthy:
      break;
  }
  return log::Level::error;
}

}  // namespace

EventLog::EventLog(std::chrono::microseconds max_latency, std::chrono::seconds retry_interval, Writer writer)
    : max_latency_(max_latency), retry_interval_(retry_interval), writer_(std::move(writer)) {}

void EventLog::on_event(const SyncEvent& event, std::string_view detail, TimePoint now) {
  const std::string sink(event.sink);
  const std::string again = "; trying again every " + std::to_string(retry_interval_.count()) + " s";
  switch (event.kind) {
    case Kind::row_written:
    case Kind::row_erased:
      return on_row(event, now);
    case Kind::row_refused:
      return write_row(log::Level::warning,
                       sink + " refuses " + std::string(event.port) + ": " + reason(event.error, detail) + again, now);
    case Kind::sink_opened:
      return writer_(log::Level::info, "Connected to " + sink);
    case Kind::sink_closed:
      return writer_(log::Level::warning, "Not connected to " + sink + ": " + reason(event.error, detail) + again);
    case Kind::snapshot_completed:
      return writer_(
          event.cause == portsync::Cause::initial ? log::Level::info : log::Level::debug,
          LogLine("Snapshot completed").add("cause", to_string(event.cause)).add("ports", event.count).text());
    case Kind::rows_left_alone:
      return writer_(log::Level::warning,
                     "No netdev matches: " + std::to_string(event.count) + " rows of " + sink + " left alone");
    case Kind::audit_completed:
      return writer_(event.count > 0 ? log::Level::warning : log::Level::debug,
                     LogLine("Audit of " + sink).add("repaired", event.count).text());
    case Kind::queue_collapsed:
      return writer_(log::Level::debug, "Queue of " + sink + " is full: comparing all ports");
    case Kind::synchronized:
      return writer_(log::Level::info, "Synchronized: every row equals the kernel");
  }
}

void EventLog::on_row(const SyncEvent& event, TimePoint now) {
  note_latency(event, now);
  if (!log::enabled(log::Level::info)) return;
  if (!rows_.take(now)) {
    ++suppressed_;
    return;
  }
  flush();
  writer_(log::Level::info, event.kind == Kind::row_written ? written_line(event) : erased_line(event));
}

void EventLog::note_latency(const SyncEvent& event, TimePoint now) {
  if (event.latency <= max_latency_) return;
  ++slow_rows_;
  if (!slow_warnings_.take(now)) return;
  writer_(log::Level::warning, LogLine("Slow row")
                                   .add("port", event.port)
                                   .add("latency_us", event.latency.count())
                                   .add("max_latency_us", max_latency_.count())
                                   .add("slow_rows", slow_rows_)
                                   .text());
}

void EventLog::write_row(log::Level level, const std::string& line, TimePoint now) {
  if (!rows_.take(now)) {
    ++suppressed_;
    return;
  }
  flush();
  writer_(level, line);
}

void EventLog::on_health(const portsync::Health& before, const portsync::Health& health, TimePoint now) {
  // A reason that counts something may change often; the verdict itself is always told.
  const bool allowed = health_reasons_.take(now);
  if (before.verdict == health.verdict && !allowed) return;
  writer_(level_of(health.verdict), "Health " + to_string(health));
}

void EventLog::flush() {
  if (suppressed_ == 0) return;
  writer_(log::Level::info, LogLine("Received events").add("suppressed", std::exchange(suppressed_, 0)).text());
}

}  // namespace portsyncd
