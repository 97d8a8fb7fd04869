// SPDX-License-Identifier: Apache-2.0
#include "core/link_table.hpp"

#include <iterator>
#include <optional>
#include <utility>

namespace portsync::core {
namespace {

// Assigns the members that differ. Nearly all members are unchanged, and comparing a text costs less than copying it.
// All members are named, so that adding one breaks the build here.
void assign(LinkState& to, const LinkState& from) {
  auto& [ifindex, name, flags, operstate, mtu, carrier_changes, carrier_up_count, carrier_down_count, address, master,
         parent, kind, slave_kind, phys_port_name, alternative_names, parent_netnsid] = to;
  const auto set = [](auto& member, const auto& value) {
    if (member != value) member = value;
  };
  ifindex = from.ifindex;
  set(name, from.name);
  flags = from.flags;
  operstate = from.operstate;
  mtu = from.mtu;
  carrier_changes = from.carrier_changes;
  carrier_up_count = from.carrier_up_count;
  carrier_down_count = from.carrier_down_count;
  address = from.address;
  master = from.master;
  parent = from.parent;
  parent_netnsid = from.parent_netnsid;
  set(kind, from.kind);
  set(slave_kind, from.slave_kind);
  set(phys_port_name, from.phys_port_name);
  set(alternative_names, from.alternative_names);
}

// A link keeps its kind, and its counters only grow. Its address may change, but rarely. A change while notifications
// were lost is less likely than another link with the same ifindex.
bool is_another_link(const LinkState& known, const LinkState& listed) {
  const auto fell = [](const std::optional<std::uint32_t>& before, const std::optional<std::uint32_t>& now) {
    return before && now && *now < *before;
  };
  return known.address != listed.address || known.kind != listed.kind ||
         fell(known.carrier_changes, listed.carrier_changes) || fell(known.carrier_up_count, listed.carrier_up_count) ||
         fell(known.carrier_down_count, listed.carrier_down_count);
}

LinkEvent changed(Cause cause, const LinkState& link, const LinkState* before, TimePoint now) {
  return {LinkEvent::Kind::changed, cause, &link, before, now, true};
}

}  // namespace

void LinkTable::begin_snapshot(Cause cause, TimePoint now) {
  forget_removed();
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

std::vector<std::int32_t> LinkTable::unlisted() const {
  std::vector<std::int32_t> found;
  if (!snapshot_running_) return found;
  for (const auto& [ifindex, entry] : entries_) {
    if (in_doubt(entry)) found.push_back(ifindex);
  }
  return found;
}

void LinkTable::end_snapshot(TimePoint now) {
  if (!snapshot_running_) return;
  for (auto it = entries_.begin(); it != entries_.end();) {
    Entry& entry = it->second;
    if (in_doubt(entry)) remove(entry, snapshot_cause_, now);
    it = entry.alive ? std::next(it) : entries_.erase(it);
  }
  snapshot_running_ = false;
  handler_({LinkEvent::Kind::snapshot_end, snapshot_cause_, nullptr, nullptr, now});
}

void LinkTable::abort_snapshot() noexcept {
  snapshot_running_ = false;
  forget_removed();
}

// Called when no more replies about removed links can come.
void LinkTable::forget_removed() noexcept {
  if (tombstones() == 0) return;
  for (auto it = entries_.begin(); it != entries_.end();) it = it->second.alive ? std::next(it) : entries_.erase(it);
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
  if (std::exchange(entry.losses, losses_) != losses_ && entry.alive && is_another_link(entry.link, link)) {
    remove(entry, cause, now);
  }
  if (!entry.alive) {
    entry.alive = true;
    entry.link = link;
    ++alive_;
    ++changes_;
    handler_(changed(cause, entry.link, nullptr, now));
    return;
  }
  if (entry.link == link) return;
  assign(before_, entry.link);
  assign(entry.link, link);
  ++changes_;
  handler_(changed(cause, entry.link, &before_, now));
}

void LinkTable::remove(Entry& entry, Cause cause, TimePoint now) {
  entry.alive = false;
  --alive_;
  ++changes_;
  handler_({LinkEvent::Kind::removed, cause, &entry.link, &entry.link, now});
}

}  // namespace portsync::core
