// SPDX-License-Identifier: Apache-2.0
#include "core/health.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/earliest.hpp"

namespace portsync {

const char* to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::healthy:
      return "Healthy";
    case Verdict::degraded:
      return "Degraded";
    case Verdict::unhealthy:
      return "Unhealthy";
  }
  return "Unknown";
}

bool operator==(const Health& a, const Health& b) noexcept {
  return a.verdict == b.verdict && a.reason == b.reason;
}

std::string to_string(const Health& health) {
  std::string text = to_string(health.verdict);
  if (!health.reason.empty()) text += ": " + health.reason;
  return text;
}

namespace core {
namespace {

constexpr std::uint64_t fewest_samples = 20;       // a rate of fewer samples says nothing
constexpr double clearly = 0.9;                    // fraction of a limit below which a rate is clearly back
constexpr std::uint64_t often_interrupted = 3;     // in a row: an occasional interruption does not get that far
constexpr std::chrono::seconds silent_after{1};    // a listing takes milliseconds
constexpr std::chrono::seconds gone_after{1};      // without any port: until then others may be about to appear
constexpr std::chrono::seconds compare_within{1};  // after the audit interval: until then an audit may be under way

class Judge {
 public:
  Judge(std::chrono::milliseconds max_stall, TimePoint now) : max_stall_(max_stall), now_(now) {}

  void trouble(TroubleKind kind, std::string subject, std::string reason) {
    if (judgement_.worst.kind >= kind) return;
    judgement_.worst = {kind, std::move(subject), std::move(reason)};
  }
  void trouble(TroubleKind kind, const std::string& reason) { trouble(kind, reason, reason); }

  // Returns true once the deadline has passed. Until then it makes the deadline a time of the next change.
  bool overdue(const std::optional<TimePoint>& since) { return overdue(since, max_stall_); }
  bool overdue(const std::optional<TimePoint>& since, Clock::duration limit) {
    if (!since) return false;
    const TimePoint deadline = *since + limit;
    if (now_ >= deadline) return true;
    judgement_.next_change = earliest(judgement_.next_change, deadline);
    return false;
  }

  [[nodiscard]] TimePoint now() const noexcept { return now_; }
  [[nodiscard]] Judgement result() { return std::move(judgement_); }

 private:
  std::chrono::milliseconds max_stall_;
  TimePoint now_;
  Judgement judgement_;
};

void judge_condition(const Health& condition, Judge& judge) {
  if (condition.verdict == Verdict::healthy) return;
  const bool bad = condition.verdict == Verdict::unhealthy;
  judge.trouble(bad ? TroubleKind::bad_condition : TroubleKind::condition, condition.reason);
}

// Returns why the listing of the links does not end; "" when it is not known to be late.
std::string late_listing(const HealthReport& report, Judge& judge) {
  if (judge.overdue(report.listing_silent_since, silent_after)) {
    return "the kernel does not answer the listing of the links: another process holds the rtnl lock";
  }
  if (report.interrupted_in_a_row < often_interrupted) return "";
  return "the listing of the links was interrupted " + std::to_string(report.interrupted_in_a_row) +
         " times in a row: links come and go faster than they can be listed";
}

void judge_source(const HealthReport& report, Judge& judge) {
  if (report.deaf_since) {
    const bool too_long = judge.overdue(report.deaf_since);
    judge.trouble(too_long ? TroubleKind::deaf_too_long : TroubleKind::deaf, "the netlink socket does not answer");
  }
  if (const std::string late = late_listing(report, judge); !late.empty()) {
    judge.trouble(report.first_snapshot ? TroubleKind::resync : TroubleKind::no_snapshot, "listing", late);
  } else if (!report.first_snapshot) {
    judge.trouble(TroubleKind::no_snapshot, "waiting for the first snapshot of the links");
  } else if (report.snapshot_pending) {
    judge.trouble(TroubleKind::resync, "link messages were lost, reading all links again");
  }
  if (report.rows_left_alone > 0) {
    judge.trouble(TroubleKind::left_alone, report.match,
                  "no netdev matches " + report.match + ", " + std::to_string(report.rows_left_alone) +
                      " rows left alone: correct ports.match, or portsyncctl resync --force removes them");
  } else if (judge.overdue(report.no_port_since, gone_after)) {
    judge.trouble(TroubleKind::left_alone, report.match,
                  "no netdev matches " + report.match +
                      " any more: look at ip -br link, or portsyncctl resync --force if that is meant");
  }
}

void too_long_ago(const std::string& what, const char* done, TimePoint last, Judge& judge) {
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(judge.now() - last);
  const std::string text = what + " could not be " + done + " for " + std::to_string(age.count()) + " s";
  judge.trouble(TroubleKind::not_compared, what, text);
}

// Rows are compared with what is known of the links. So Healthy means that these are listed, too.
void judge_links(const HealthReport& report, Judge& judge) {
  if (report.audit_interval.count() <= 0) return;
  if (!judge.overdue(report.links_listed, report.audit_interval + compare_within)) return;
  too_long_ago("the links", "listed", *report.links_listed, judge);
}

void judge_sink(const HealthReport& report, const SinkReport& sink, Judge& judge) {
  const std::string error = sink.error.empty() ? "" : ": " + sink.error;
  const bool refused = judge.overdue(sink.refused_since);
  const bool pending = judge.overdue(sink.pending_since);
  // A refused row is also pending, and has been pending a moment longer. The refusal is the better reason.
  const bool same_row = sink.refused_since && sink.pending_port == sink.refused_port;
  if (sink.refused_since) {
    const bool too_long = refused || (pending && same_row);
    judge.trouble(too_long ? TroubleKind::refused_too_long : TroubleKind::refused,
                  sink.name + " refuses " + sink.refused_port + error);
  }
  if (pending) {
    const std::string others = sink.pending > 1 ? " and " + std::to_string(sink.pending - 1) + " more" : "";
    // Nothing is written before the first snapshot, so a store without an error is not the cause.
    const bool listing = !report.first_snapshot && sink.error.empty();
    const std::string late = listing ? late_listing(report, judge) : "";
    const std::string where = listing ? " not written: " + (late.empty() ? "waiting for the first snapshot" : late)
                                      : " not written to " + sink.name + error;
    judge.trouble(TroubleKind::pending_too_long, sink.pending_port + where, sink.pending_port + others + where);
  }
  if (!sink.trouble.empty()) judge.trouble(TroubleKind::store, sink.name + ": " + sink.trouble);
  if (!sink.open) judge.trouble(TroubleKind::not_open, "waiting for " + sink.name + error);
}

// Healthy means that rows are compared, so a missing comparison is a fault.
void judge_comparison(const SinkReport& sink, std::chrono::milliseconds interval, Judge& judge) {
  if (!sink.open) return;
  const std::string what = "rows in " + sink.name;
  if (!sink.compare_error.empty()) {
    judge.trouble(TroubleKind::not_compared, what + " cannot be compared: " + sink.compare_error);
  } else if (interval.count() > 0 && judge.overdue(sink.compared, interval + compare_within)) {
    too_long_ago(what, "compared", *sink.compared, judge);
  }
}

// Sets whether `value` exceeds its limit. A value equal to the limit does not, whatever rounding did to its last
// digits.
bool update(bool& over, double value, double limit) {
  constexpr double noise = 1e-9;
  const double allowed = over ? clearly * limit : limit;
  return over = value > allowed + noise;
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string number(double value) {
  std::array<char, 32> buffer{};
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

std::string count_of(std::uint64_t part, std::uint64_t whole) {
  return std::to_string(part) + " of " + std::to_string(whole);
}

double failure_rate(const SinkReport& sink) {
  return sink.writes < fewest_samples ? 0 : percent(sink.failures, sink.writes);
}

// With several sinks, the worst one is judged, here and below.
void judge_failures(const HealthReport& report, const HealthOptions& options, RatesOver& over, Judge& judge) {
  const auto sink = std::max_element(report.sinks.begin(), report.sinks.end(),
                                     [](const auto& a, const auto& b) { return failure_rate(a) < failure_rate(b); });
  if (sink == report.sinks.end()) return;
  const double rate = failure_rate(*sink);
  const bool too_many = update(over.too_many_failures, rate, options.max_failure_rate);
  const bool many = update(over.failures, rate, 100 - options.min_success_rate);
  const std::string text =
      count_of(sink->failures, sink->writes) + " writes to " + sink->name + " were refused in the last minute, ";
  if (too_many) {
    judge.trouble(TroubleKind::too_many_failures, sink->name,
                  text + "limit " + number(options.max_failure_rate) + " %");
  } else if (many) {
    judge.trouble(TroubleKind::failures, sink->name, text + number(options.min_success_rate) + " % must succeed");
  }
}

void judge_latency(const HealthReport& report, const HealthOptions& options, RatesOver& over, Judge& judge) {
  const std::uint64_t p99 = report.latency_samples < fewest_samples ? 0 : report.latency_p99_us;
  if (!update(over.latency, static_cast<double>(p99), static_cast<double>(options.max_latency.count()))) return;
  judge.trouble(TroubleKind::latency, "",
                "p99 latency " + std::to_string(p99) + " us in the last minute, limit " +
                    std::to_string(options.max_latency.count()) + " us");
}

void judge_sync_rate(const HealthReport& report, const HealthOptions& options, RatesOver& over, Judge& judge) {
  const auto sink = std::max_element(report.sinks.begin(), report.sinks.end(),
                                     [](const auto& a, const auto& b) { return a.behind < b.behind; });
  if (sink == report.sinks.end()) return;
  const std::size_t behind = std::min(sink->behind, report.ports);
  const double rate = report.ports == 0 ? 0 : percent(behind, report.ports);
  if (!update(over.sync_rate, rate, 100 - options.min_sync_rate)) return;
  judge.trouble(TroubleKind::sync_rate, sink->name,
                count_of(report.ports - behind, report.ports) + " rows in " + sink->name + " equal the kernel, " +
                    number(options.min_sync_rate) + " % must");
}

}  // namespace

Verdict verdict_of(TroubleKind kind) noexcept {
  if (kind == TroubleKind::none) return Verdict::healthy;
  return kind < TroubleKind::too_many_failures ? Verdict::degraded : Verdict::unhealthy;
}

Judgement judge(const HealthReport& report, const Conditions& conditions, const HealthOptions& options, RatesOver& over,
                TimePoint now) {
  Judge judge(options.max_stall, now);
  for (const auto& [name, condition] : conditions) judge_condition(condition, judge);
  judge_source(report, judge);
  judge_links(report, judge);
  for (const SinkReport& sink : report.sinks) {
    judge_sink(report, sink, judge);
    judge_comparison(sink, report.audit_interval, judge);
  }
  judge_failures(report, options, over, judge);
  judge_latency(report, options, over, judge);
  judge_sync_rate(report, options, over, judge);
  return judge.result();
}

}  // namespace core
}  // namespace portsync
