// SPDX-License-Identifier: Apache-2.0
#include "core/port_table.hpp"

#include <algorithm>
#include <utility>

#include "core/port_kind.hpp"

namespace portsync::core {

void PortTable::change(const LinkState& link, bool lasting, const Touch& touch) {
  const auto [it, is_new] = links_.try_emplace(link.ifindex, link, lasting);
  Link& known = it->second;
  if (!is_new) known.kept.keep(link, lasting);
  // Matching costs more than the rest of this function. A port that kept its name is still a port, unless its kind
  // changed.
  if (known.slot != none && ports_[known.slot].name == link.name && is_port_kind(link)) {
    touched_(known.slot, touch);
  } else {
    assign(known, filter_.matches(link) ? intern(link.name) : none, touch);
  }
}

void PortTable::keep_copies() {
  for (auto& [ifindex, link] : links_) {
    if (link.kept.lasting()) link.kept.make_copy();
  }
}

void PortTable::remove(std::int32_t ifindex, const Touch& touch) {
  const auto it = links_.find(ifindex);
  if (it == links_.end()) return;
  // Remove the link from the table before any notification: the port's link is gone, and so is what it pointed to.
  auto node = links_.extract(it);
  set_robbed(node.mapped(), false);
  detach(node.mapped(), touch);
}

void PortTable::set_filter(PortFilter filter, const Touch& touch) {
  filter_ = std::move(filter);
  absence_accepted_ = false;
  // Determine this before notifying of removed ports, because it decides whether their rows are removed.
  ever_matched_ = std::any_of(links_.begin(), links_.end(),
                              [this](const auto& link) { return filter_.matches(*link.second.kept); });
  for (auto& [ifindex, link] : links_) {
    if (link.robbed) continue;
    const Slot slot = filter_.matches(*link.kept) ? intern(link.kept->name) : none;
    if (slot != link.slot) assign(link, slot, touch);
  }
}

void PortTable::on_names_known(const Touch& touch) {
  if (robbed_ == 0) return;
  for (auto& [ifindex, link] : links_) {
    if (!link.robbed) continue;
    const Slot owned = find(link.kept->name);
    if (owned != none && ports_[owned].owner != nullptr) continue;
    assign(link, filter_.matches(*link.kept) ? intern(link.kept->name) : none, touch);
  }
}

const LinkState* PortTable::link_of(std::int32_t ifindex) const {
  const auto it = links_.find(ifindex);
  return it == links_.end() ? nullptr : it->second.kept.get();
}

Slot PortTable::slot_of(std::int32_t ifindex) const {
  const auto it = links_.find(ifindex);
  return it == links_.end() ? none : it->second.slot;
}

Slot PortTable::find(std::string_view name) const {
  const auto it = slots_.find(name);
  return it == slots_.end() ? none : it->second;
}

Slot PortTable::intern(std::string_view name) {
  if (const Slot known = find(name); known != none) return known;
  Slot slot = static_cast<Slot>(ports_.size());
  if (free_.empty()) {
    ports_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  ports_[slot].name = name;
  slots_.emplace(name, slot);
  return slot;
}

void PortTable::release(Slot slot) {
  slots_.erase(ports_[slot].name);
  ports_[slot].name.clear();
  free_.push_back(slot);
}

// Moves a link to a port, or to none. The old port loses it, the new port has it, and the link that had the new port
// has none.
void PortTable::assign(Link& link, Slot slot, const Touch& touch) {
  if (link.slot != slot) detach(link, touch);
  link.slot = slot;
  set_robbed(link, false);
  if (slot == none) return;
  Port& port = ports_[slot];
  if (port.owner == nullptr) {
    ++matching_;
    no_port_since_.reset();
    absence_accepted_ = false;
  } else if (port.owner != &link) {
    port.owner->slot = none;
    set_robbed(*port.owner, true);
  }
  port.owner = &link;
  ever_matched_ = true;
  touched_(slot, touch);
}

void PortTable::set_robbed(Link& link, bool robbed) {
  if (link.robbed == robbed) return;
  link.robbed = robbed;
  robbed_ = robbed ? robbed_ + 1 : robbed_ - 1;
}

void PortTable::detach(const Link& link, const Touch& touch) {
  if (link.slot == none || ports_[link.slot].owner != &link) return;
  ports_[link.slot].owner = nullptr;
  if (--matching_ == 0) no_port_since_ = touch.when;
  touched_(link.slot, touch);
}

}  // namespace portsync::core
