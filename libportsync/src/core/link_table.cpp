// SPDX-License-Identifier: Apache-2.0
#include "core/link_table.hpp"

#include <utility>

namespace portsync::core {

void LinkTable::begin_snapshot(Cause cause, TimePoint now) {
  ++snapshot_;
  snapshot_cause_ = cause;
  snapshot_running_ = true;
  handler_({LinkEvent::Kind::snapshot_begin, cause, nullptr, nullptr, now});
}

void LinkTable::on_snapshot_link(const LinkState& link, TimePoint now) {
  if (!snapshot_running_) return;
  Entry& entry = entries_[link.ifindex];
  entry.listed = snapshot_;
  if (entry.touched == snapshot_) return;
  update(entry, link, snapshot_cause_, now);
}

void LinkTable::end_snapshot(TimePoint now) {
  if (!snapshot_running_) return;
  for (auto it = entries_.begin(); it != entries_.end();) {
    Entry& entry = it->second;
    if (entry.alive && entry.listed != snapshot_ && entry.touched != snapshot_) {
      remove(entry, snapshot_cause_, now);
    }
    it = entry.alive ? std::next(it) : entries_.erase(it);
  }
  snapshot_running_ = false;
  handler_({LinkEvent::Kind::snapshot_end, snapshot_cause_, nullptr, nullptr, now});
}

void LinkTable::on_changed(const LinkState& link, TimePoint now) {
  Entry& entry = entries_[link.ifindex];
  if (snapshot_running_) entry.touched = snapshot_;
  update(entry, link, Cause::notified, now);
}

void LinkTable::on_removed(std::int32_t ifindex, TimePoint now) {
  const auto it = entries_.find(ifindex);
  if (it == entries_.end()) {
    if (snapshot_running_) entries_[ifindex].touched = snapshot_;  // a reply about it may still come
    return;
  }
  Entry& entry = it->second;
  entry.touched = snapshot_;
  if (entry.alive) remove(entry, Cause::notified, now);
  if (!snapshot_running_) entries_.erase(it);
}

void LinkTable::on_drained(TimePoint now) {
  handler_({LinkEvent::Kind::drained, Cause::notified, nullptr, nullptr, now});
}

void LinkTable::update(Entry& entry, const LinkState& link, Cause cause, TimePoint now) {
  if (!entry.alive) {
    entry.alive = true;
    entry.link = link;
    ++alive_;
    ++changes_;
    handler_({LinkEvent::Kind::changed, cause, &entry.link, nullptr, now});
    return;
  }
  if (entry.link == link) return;
  std::swap(before_, entry.link);  // keeps the memory of both, so that the steady state allocates nothing
  entry.link = link;
  ++changes_;
  handler_({LinkEvent::Kind::changed, cause, &entry.link, &before_, now});
}

void LinkTable::remove(Entry& entry, Cause cause, TimePoint now) {
  entry.alive = false;
  --alive_;
  ++changes_;
  handler_({LinkEvent::Kind::removed, cause, &entry.link, &entry.link, now});
}

}  // namespace portsync::core
