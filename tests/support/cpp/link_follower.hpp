// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <portsync/link_source.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace portsync::test {

// Drives a LinkSource, and derives the links from its events alone. It also checks the guarantees that every listener
// may rely on.
class LinkFollower {
 public:
  struct Event {
    LinkEvent::Kind kind;
    Cause cause;
    std::int32_t ifindex;
    std::string name;
    std::string name_before;
  };

  explicit LinkFollower(LinkSource& source) : source_(source) {}

  // Called after the event has been stored.
  std::function<void(const LinkEvent&)> also;
  bool keep_events = true;
  std::map<std::int32_t, LinkState> links;
  std::vector<Event> events;

  void start() {
    if (const auto error = source_.start([this](const LinkEvent& event) { on_event(event); })) {
      throw std::system_error(error, "start");
    }
  }

  // Handles events until none is left and the condition holds. Returns false if it does not hold after `limit`.
  [[nodiscard]] bool run_until(const std::function<bool()>& condition,
                               std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    for (const auto end = Clock::now() + limit; Clock::now() < end;) {
      if (!wait(0)) {  // only when idle, because a condition may be costly
        if (condition()) return true;
        wait(10);
      }
      process();
    }
    return false;
  }

  void run_while_ready() {
    while (wait(0)) process();
  }

  // Returns whether fd() becomes readable in time.
  bool wait(int timeout_ms) {
    pollfd descriptor{source_.fd(), POLLIN, 0};
    return ::poll(&descriptor, 1, timeout_ms) > 0;
  }

  void process() {
    if (const auto error = source_.process()) throw std::system_error(error, "process");
  }

  // Runs until a further snapshot is complete.
  [[nodiscard]] bool run_until_snapshot() {
    const auto before = source_.statistics().snapshots;
    return run_until([&] { return source_.statistics().snapshots > before; });
  }

  [[nodiscard]] std::size_t count(LinkEvent::Kind kind) const {
    return static_cast<std::size_t>(
        std::count_if(events.begin(), events.end(), [kind](const Event& event) { return event.kind == kind; }));
  }

  [[nodiscard]] const LinkState* find(const std::string& name) const {
    for (const auto& [ifindex, link] : links) {
      if (link.name == name) return &link;
    }
    return nullptr;
  }

 private:
  static void require(bool holds, const char* what) {
    if (!holds) throw std::logic_error(std::string("broken promise of LinkSource: ") + what);
  }

  void on_event(const LinkEvent& event) {
    if (event.kind == LinkEvent::Kind::changed) on_changed(event);
    if (event.kind == LinkEvent::Kind::removed) on_removed(event);
    if (keep_events) {
      events.push_back({event.kind, event.cause, event.link != nullptr ? event.link->ifindex : 0,
                        event.link != nullptr ? event.link->name : "",
                        event.before != nullptr ? event.before->name : ""});
    }
    if (also) also(event);
  }

  void on_changed(const LinkEvent& event) {
    const auto [it, is_new] = links.try_emplace(event.link->ifindex);
    require(is_new == (event.before == nullptr), "`before` is null exactly for a new link");
    require(is_new || it->second == *event.before, "`before` is what was told last");
    require(is_new || *event.link != *event.before, "a change differs from what was known");
    it->second = *event.link;
  }

  void on_removed(const LinkEvent& event) {
    const auto it = links.find(event.link->ifindex);
    require(it != links.end(), "only known links are removed");
    require(it->second == *event.link, "a removed link is as it was last known");
    links.erase(it);
  }

  LinkSource& source_;
};

}  // namespace portsync::test
