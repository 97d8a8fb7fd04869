// SPDX-License-Identifier: Apache-2.0
#include "core/flap_history.hpp"

#include <algorithm>

namespace portsync::core {
namespace {

std::optional<std::uint32_t> times_down(const LinkState& link) {
  if (link.carrier_down_count) return link.carrier_down_count;
  if (link.carrier_changes) return *link.carrier_changes / 2;
  return std::nullopt;
}

std::chrono::milliseconds outage(TimePoint since, TimePoint now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - since);
}

}  // namespace

void FlapHistory::update(const LinkState* link, TimePoint received) {
  if (link == nullptr) {
    ifindex_ = 0;
    return;
  }
  const auto count = times_down(*link);
  if (link->ifindex != ifindex_) {
    ifindex_ = link->ifindex;
    times_down_ = count.value_or(0);
    running_ = link->running();
    down_since_.reset();
    return;
  }
  const bool lost = running_ && !link->running();
  // A count that fell was reset. Counting continues from it.
  if (!count) {
    if (lost) flapped(1, received);
  } else if (*count > times_down_) {
    flapped(*count - times_down_, received);
  }
  times_down_ = count.value_or(0);
  if (running_ != link->running()) set_running(link->running(), received);
}

void FlapHistory::flapped(std::uint32_t times, TimePoint received) {
  if (!windows_) windows_ = std::make_unique<Windows>();
  windows_->minute.add(received, times);
  windows_->hour.add(received, times);
  total_ += times;
  last_change_ = received;
}

void FlapHistory::set_running(bool running, TimePoint received) {
  running_ = running;
  last_change_ = received;
  if (!running) {
    down_since_ = received;
  } else if (down_since_) {
    longest_outage_ = std::max(longest_outage_, outage(*down_since_, received));
    down_since_.reset();
  }
}

FlapStatistics FlapHistory::statistics(TimePoint now) const {
  FlapStatistics statistics;
  if (windows_) {
    statistics.last_minute = windows_->minute.sum(now);
    statistics.last_hour = windows_->hour.sum(now);
  }
  statistics.total = total_;
  statistics.longest_outage = longest_outage_;
  if (down_since_) statistics.longest_outage = std::max(longest_outage_, outage(*down_since_, now));
  statistics.last_change = last_change_;
  return statistics;
}

}  // namespace portsync::core
