// SPDX-License-Identifier: Apache-2.0
#include "core/health.hpp"

#include <algorithm>
#include <utility>

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

class Judge {
 public:
  Judge(const DeadlineHealthOptions& options, TimePoint now) : max_stall_(options.max_stall), now_(now) {
    judgement_.health = {Verdict::healthy, ""};
  }

  // Something is amiss: of equally bad troubles the first one is told.
  void trouble(Verdict verdict, std::string reason) {
    if (judgement_.health.verdict >= verdict) return;
    judgement_.health = {verdict, std::move(reason)};
  }

  // Degraded since a moment, unhealthy from max_stall later on. False while the deadline has not come.
  bool overdue(TimePoint since) {
    const TimePoint deadline = since + max_stall_;
    if (now_ >= deadline) return true;
    judgement_.next_change = std::min(judgement_.next_change.value_or(deadline), deadline);
    return false;
  }

  [[nodiscard]] Judgement result() { return std::move(judgement_); }

 private:
  std::chrono::milliseconds max_stall_;
  TimePoint now_;
  Judgement judgement_;
};

void judge_sink(const SinkReport& sink, Judge& judge) {
  const auto with_error = [&sink](const std::string& text) {
    return sink.error.empty() ? text : text + ": " + sink.error;
  };
  if (sink.refused_since && judge.overdue(*sink.refused_since)) {
    judge.trouble(Verdict::unhealthy, with_error(sink.name + " refuses " + sink.refused_port));
  }
  if (sink.pending_since && judge.overdue(*sink.pending_since)) {
    const std::string others = sink.pending > 1 ? " and " + std::to_string(sink.pending - 1) + " more" : "";
    judge.trouble(Verdict::unhealthy, with_error(sink.pending_port + others + " not written to " + sink.name));
  }
  if (!sink.open) judge.trouble(Verdict::degraded, with_error("waiting for " + sink.name));
  if (sink.refused_since) judge.trouble(Verdict::degraded, with_error(sink.name + " refuses " + sink.refused_port));
}

}  // namespace

Judgement judge(const HealthReport& report, const DeadlineHealthOptions& options, TimePoint now) {
  Judge judge(options, now);
  if (report.deaf_since) {
    const Verdict verdict = judge.overdue(*report.deaf_since) ? Verdict::unhealthy : Verdict::degraded;
    judge.trouble(verdict, "the netlink socket does not answer");
  }
  for (const SinkReport& sink : report.sinks) judge_sink(sink, judge);
  if (!report.first_snapshot) {
    judge.trouble(Verdict::degraded, "waiting for the first snapshot of the links");
  } else if (report.snapshot_pending) {
    judge.trouble(Verdict::degraded, "link messages were lost, reading all links again");
  }
  if (report.rows_left_alone > 0) {
    judge.trouble(Verdict::degraded, "no netdev matches " + report.match + ", " +
                                         std::to_string(report.rows_left_alone) + " rows left alone");
  }
  return judge.result();
}

}  // namespace core
}  // namespace portsync
