// SPDX-License-Identifier: Apache-2.0
#include "sonic/port_gate.hpp"

#include <algorithm>
#include <portsync/error.hpp>
#include <tuple>
#include <utility>

namespace portsync::sonic {
namespace {

constexpr std::uint32_t source_id = 1;
// The promise is that a row is never wrong and Healthy for longer than the audit interval and one second.
constexpr std::chrono::seconds snapshot_is_recent_for{1};

}  // namespace

PortGate::PortGate(LinkSource& links, PortFilter filter, Observer& observer)
    : links_source_(links), filter_(std::move(filter)), observer_(observer) {}

std::error_code PortGate::start(Handler handler) {
  if (handler_) return Errc::already_started;
  handler_ = std::move(handler);
  if (const std::error_code error = links_source_.start([this](const LinkEvent& event) { on_event(event); })) {
    return error;
  }
  events_.add(links_source_.fd(), EPOLLIN, source_id);
  return {};
}

// Calls the source's process() without a poll of its descriptor. The source reads before it polls, so that a change
// costs two system calls less.
std::error_code PortGate::process() {
  const os::ProcessGuard guard(processing_);
  if (timer_set_) {
    epoll_event ready[os::EventSet::max_events];
    const int count = events_.poll(ready);
    timer_set_ =
        std::none_of(ready, ready + count, [](const auto& event) { return event.data.u32 == os::EventSet::timer_id; });
  }
  if (due_) {
    try {
      forward_held();
    } catch (...) {
      request_forwarding();  // the next call handles the rest
      throw;
    }
    due_ = false;
  }
  return links_source_.process();
}

void PortGate::on_event(const LinkEvent& event) {
  switch (event.kind) {
    case LinkEvent::Kind::changed:
      return on_changed(event);
    case LinkEvent::Kind::removed:
      return on_removed(event);
    case LinkEvent::Kind::snapshot_end:
      if (!std::exchange(snapshot_at_, event.received)) observer_.on_snapshot();
      if (open_ && !opened_) request_forwarding();
      if (opened_) forward(event);
      return;
    default:
      if (opened_) forward(event);
  }
}

bool PortGate::may_pass(const LinkState& link) const {
  return !filter_.matches(link) || admitted_.find(link.name) != admitted_.end();
}

// Returns whether the same link has another name, or has become a port, or none, by its kind.
bool PortGate::differ(const LinkState& before, const LinkState& now) const {
  return before.name != now.name || (before.kind != now.kind && filter_.matches(before) != filter_.matches(now));
}

void PortGate::on_changed(const LinkEvent& event) {
  Link& link = links_[event.link->ifindex];
  if (link.place == Place::ignored) return;
  if (link.place == Place::passed) {
    const bool is_other = event.before != nullptr && differ(*event.before, *event.link);
    if (is_other) forget(event.before->name);
    if (!is_other || may_pass(*event.link)) {
      forward(event);
      if (is_other && filter_.matches(*event.link)) observer_.on_port(event.link->name);
      return;
    }
    // The link is now one that could be a port, and its name is not admitted: report it as removed.
    LinkEvent gone = event;
    gone.kind = LinkEvent::Kind::removed;
    gone.link = event.before;
    forward(gone);
    link.place = Place::held;
    link.kept.keep(*event.link, event.lasting);
    return hold(link);
  }
  link.kept.keep(*event.link, event.lasting);
  if (!opened_) return;
  if (may_pass(*event.link)) return pass(link, event);
  hold(link);
}

void PortGate::on_removed(const LinkEvent& event) {
  const auto found = links_.find(event.link->ifindex);
  if (found == links_.end()) return;
  forget(event.link->name);
  settle(found->second);
  const Place place = found->second.place;
  links_.erase(found);
  if (place == Place::passed) forward(event);
}

// Counts the links that wait under each name. Two may wait under one name until one of them is renamed or removed.
void PortGate::hold(Link& link) {
  if (link.waiting && link.name == link.kept->name) return;
  settle(link);
  link.waiting = true;
  link.name = link.kept->name;
  if (++waiting_[link.name] == 1) observer_.on_waiting(link.name);
}

void PortGate::settle(Link& link) {
  if (!std::exchange(link.waiting, false)) return;
  const auto count = waiting_.find(link.name);
  if (--count->second > 0) return;
  waiting_.erase(count);
  observer_.on_settled(link.name);
}

// Withdraws the admission, so that the next link of this name has to be admitted again.
void PortGate::forget(std::string_view name) {
  if (const auto admitted = admitted_.find(name); admitted != admitted_.end()) admitted_.erase(admitted);
}

void PortGate::pass(Link& link, const LinkEvent& event) {
  settle(link);
  link.place = Place::passed;
  const core::KeptLink kept = std::exchange(link.kept, {});  // the event may borrow it
  LinkEvent comes = event;
  comes.before = nullptr;  // no event of this link has been passed on yet
  if (!opened_) used_.insert(event.link->name);
  forward(comes);
  if (filter_.matches(*event.link)) observer_.on_port(event.link->name);
}

void PortGate::forward_held() {
  if (!open_ || !snapshot_at_) return;
  LinkEvent event;
  event.received = os::now();
  event.cause = opened_ ? Cause::notified : Cause::initial;
  const bool first = !opened_;
  if (first) {
    event.kind = LinkEvent::Kind::snapshot_begin;
    forward(event);
  }
  std::vector<std::int32_t> held;
  for (const auto& [ifindex, link] : links_) {
    if (link.place == Place::held) held.push_back(ifindex);
  }
  event.kind = LinkEvent::Kind::changed;
  for (const std::int32_t ifindex : held) {
    Link& link = links_.at(ifindex);
    event.link = link.kept.get();
    event.lasting = link.kept.lasting();
    if (may_pass(*link.kept)) {
      pass(link, event);
    } else {
      hold(link);
    }
  }
  event.link = nullptr;
  event.lasting = false;
  if (first) {
    event.kind = LinkEvent::Kind::snapshot_end;
    forward(event);
    // There are no audits while the gate is closed, and messages may get lost without a trace.
    const bool recent = event.received - *snapshot_at_ <= snapshot_is_recent_for;
    if (!recent) std::ignore = links_source_.resync();  // it is started, so it cannot fail
    opened_ = true;
    admitted_ = std::exchange(used_, {});  // no link has the other names
  }
  event.kind = LinkEvent::Kind::drained;
  forward(event);
}

std::vector<PortGate::Candidate> PortGate::candidates() const {
  std::vector<Candidate> found;
  for (const auto& [ifindex, link] : links_) {
    if (link.place != Place::held || !filter_.matches(*link.kept)) continue;
    found.push_back({ifindex, link.kept->name, link.kept->admin_up()});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return found;
}

void PortGate::ignore(std::int32_t ifindex) {
  const auto found = links_.find(ifindex);
  if (found == links_.end() || found->second.place != Place::held) return;
  found->second.place = Place::ignored;
  found->second.kept = {};
}

void PortGate::admit(std::string_view name) {
  if (admitted_.find(name) != admitted_.end()) return;
  if (opened_ && waiting_.find(name) == waiting_.end()) return;  // the link is gone or renamed meanwhile
  admitted_.emplace(name);
  request_forwarding();
}

void PortGate::open() {
  open_ = true;
  request_forwarding();
}

void PortGate::request_forwarding() {
  due_ = true;
  timer_set_ = true;  // it may fire after process() was called for another reason
  events_.arm(os::now());
}

}  // namespace portsync::sonic
