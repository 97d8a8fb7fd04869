// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <portsync/link_state.hpp>
#include <portsync/port_filter.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/kept_link.hpp"
#include "core/touch.hpp"

namespace portsync::core {

// A port's place in the tables of all sinks, while it has one. Used again after release().
using Slot = std::uint32_t;

// All links by ifindex, and the ports among them by name. A port outlives its link for as long as a sink holds a row of
// that name. Links are what identifies: a rename moves a link to another port, and of two links that claim one name the
// one heard of last has it (the other's new name is on its way). Pure.
class PortTable {
 public:
  // Called with each port that came, went, or whose link changed, and with the touch that did it.
  using Touched = std::function<void(Slot, const Touch&)>;

  PortTable(PortFilter filter, Touched touched) : filter_(std::move(filter)), touched_(std::move(touched)) {}

  // The link is borrowed for the call, or, when it is lasting (see LinkEvent), until its removal.
  void change(const LinkState& link, bool lasting, const Touch& touch);
  void remove(std::int32_t ifindex, const Touch& touch);
  void set_filter(PortFilter filter, const Touch& touch);
  // From here on no removal of a lasting link will be told.
  void keep_copies();
  // A snapshot is complete: every name known is true. A link that another had taken the name from, and that has it
  // after all, gets its port back.
  void on_names_known(const Touch& touch);

  [[nodiscard]] const PortFilter& filter() const noexcept { return filter_; }
  // One past the highest slot in use.
  [[nodiscard]] Slot end() const noexcept { return static_cast<Slot>(ports_.size()); }
  [[nodiscard]] bool in_use(Slot slot) const noexcept { return !ports_[slot].name.empty(); }
  [[nodiscard]] const std::string& name(Slot slot) const noexcept { return ports_[slot].name; }
  // The link that has this name and matches; nullptr when there is none. Valid until the link changes.
  [[nodiscard]] const LinkState* link(Slot slot) const noexcept {
    const Link* owner = ports_[slot].owner;
    return owner == nullptr ? nullptr : owner->kept.get();
  }
  // Any link, whether it matches or not; nullptr when there is none.
  [[nodiscard]] const LinkState* link_of(std::int32_t ifindex) const;
  // Links that match now.
  [[nodiscard]] std::size_t matching() const noexcept { return matching_; }
  // A link has matched this filter at some time.
  [[nodiscard]] bool ever_matched() const noexcept { return ever_matched_; }
  // Since when no link matches, though one did; nullopt also after accept_absence().
  [[nodiscard]] const std::optional<TimePoint>& no_port_since() const noexcept { return no_port_since_; }
  // It is meant that no link matches this filter, if none does.
  void accept_absence() noexcept {
    no_port_since_.reset();
    absence_accepted_ = true;
  }
  [[nodiscard]] bool absence_accepted() const noexcept { return absence_accepted_; }
  // The port of this link; none when it does not match.
  [[nodiscard]] Slot slot_of(std::int32_t ifindex) const;

  static constexpr Slot none = UINT32_MAX;
  [[nodiscard]] Slot find(std::string_view name) const;
  // The port of this name, made when there is none: for a row whose link is gone.
  Slot intern(std::string_view name);
  // Gives back the slot of a port without a link.
  void release(Slot slot);

 private:
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>{}(name); }
  };
  struct Link {
    Link(const LinkState& link, bool lasting) : kept(link, lasting) {}

    KeptLink kept;
    Slot slot = none;
    bool robbed = false;  // another link was heard to have its name
  };
  struct Port {
    std::string name;  // empty: the slot is free
    Link* owner = nullptr;
  };

  void assign(Link& link, Slot slot, const Touch& touch);
  void set_robbed(Link& link, bool robbed);
  void detach(const Link& link, const Touch& touch);

  PortFilter filter_;
  Touched touched_;
  std::unordered_map<std::int32_t, Link> links_;
  std::unordered_map<std::string, Slot, NameHash, std::equal_to<>> slots_;
  std::vector<Port> ports_;
  std::vector<Slot> free_;
  std::size_t matching_ = 0;
  std::size_t robbed_ = 0;
  std::optional<TimePoint> no_port_since_;
  bool ever_matched_ = false;
  bool absence_accepted_ = false;
};

}  // namespace portsync::core
