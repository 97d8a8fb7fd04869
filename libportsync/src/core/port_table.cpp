// SPDX-License-Identifier: Apache-2.0
#include "core/port_table.hpp"

#include <utility>

namespace portsync::core {

void PortTable::change(const LinkState& link) {
  const auto [it, is_new] = links_.try_emplace(link.ifindex);
  Link& known = it->second;
  // Matching costs more than all the rest: only what it depends on asks for it.
  const bool match_again = is_new || known.robbed || known.state.name != link.name || known.state.kind != link.kind;
  known.state = link;
  if (match_again) {
    assign(known, filter_.matches(link) ? intern(link.name) : none);
  } else if (known.slot != none) {
    touched_(known.slot);
  }
}

void PortTable::remove(std::int32_t ifindex) {
  const auto it = links_.find(ifindex);
  if (it == links_.end()) return;
  // Out of the table before anybody is told: the port's link is gone, and so is what it pointed to.
  auto node = links_.extract(it);
  set_robbed(node.mapped(), false);
  detach(node.mapped());
}

void PortTable::set_filter(PortFilter filter) {
  filter_ = std::move(filter);
  for (auto& [ifindex, link] : links_) {
    if (link.robbed) continue;
    const Slot slot = filter_.matches(link.state) ? intern(link.state.name) : none;
    if (slot != link.slot) assign(link, slot);
  }
}

void PortTable::on_names_known() {
  if (robbed_ == 0) return;
  for (auto& [ifindex, link] : links_) {
    if (!link.robbed) continue;
    const Slot owned = find(link.state.name);
    if (owned != none && ports_[owned].link != nullptr) continue;
    assign(link, filter_.matches(link.state) ? intern(link.state.name) : none);
  }
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

// Moves a link to a port (or to none): the old port loses it, the new one has it, and who had the new one has none.
void PortTable::assign(Link& link, Slot slot) {
  if (link.slot != slot) detach(link);
  link.slot = slot;
  set_robbed(link, false);
  if (slot == none) return;
  Port& port = ports_[slot];
  if (port.link == nullptr) {
    ++matching_;
  } else if (port.link != &link.state) {
    Link& loser = links_.find(port.link->ifindex)->second;
    loser.slot = none;
    set_robbed(loser, true);
  }
  port.link = &link.state;
  ever_matched_ = true;
  touched_(slot);
}

void PortTable::set_robbed(Link& link, bool robbed) {
  if (link.robbed == robbed) return;
  link.robbed = robbed;
  robbed_ = robbed ? robbed_ + 1 : robbed_ - 1;
}

void PortTable::detach(const Link& link) {
  if (link.slot == none || ports_[link.slot].link != &link.state) return;
  ports_[link.slot].link = nullptr;
  --matching_;
  touched_(link.slot);
}

}  // namespace portsync::core
