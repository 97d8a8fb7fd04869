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

// A port's index in the tables of all sinks. It is reused after release().
using Slot = std::uint32_t;

// All links by ifindex, and the ports among them by name. A port outlives its link for as long as a sink holds a row of
// that name. The ifindex identifies a link: a rename moves the link to another port. If two links claim one name, the
// one described last has it, because the other's new name is on its way. Pure.
class PortTable {
 public:
  // Called for each port that came or went, or whose link changed, with the touch that caused it.
  using Touched = std::function<void(Slot, const Touch&)>;

  PortTable(PortFilter filter, Touched touched) : filter_(std::move(filter)), touched_(std::move(touched)) {}

  // Stores a link. It is borrowed for the call or, when it is lasting (see LinkEvent), until its removal.
  void change(const LinkState& link, bool lasting, const Touch& touch);
  void remove(std::int32_t ifindex, const Touch& touch);
  void set_filter(PortFilter filter, const Touch& touch);
  // Copies all lasting links, because from here on their removals will not be reported.
  void keep_copies();
  // Handles a complete snapshot, after which every known name is true. A link that had lost its port to another link,
  // but still has the name, gets the port back.
  void on_names_known(const Touch& touch);

  [[nodiscard]] const PortFilter& filter() const noexcept { return filter_; }
  // Returns one past the highest slot in use.
  [[nodiscard]] Slot end() const noexcept { return static_cast<Slot>(ports_.size()); }
  [[nodiscard]] bool in_use(Slot slot) const noexcept { return !ports_[slot].name.empty(); }
  [[nodiscard]] const std::string& name(Slot slot) const noexcept { return ports_[slot].name; }
  // Returns the link that has this name and matches, or nullptr when there is none. Valid until the link changes.
  [[nodiscard]] const LinkState* link(Slot slot) const noexcept {
    const Link* owner = ports_[slot].owner;
    return owner == nullptr ? nullptr : owner->kept.get();
  }
  // Returns the link of this ifindex, whether it matches or not; nullptr when there is none.
  [[nodiscard]] const LinkState* link_of(std::int32_t ifindex) const;
  // Returns the number of links that match now.
  [[nodiscard]] std::size_t matching() const noexcept { return matching_; }
  // Returns true when a link has ever matched this filter.
  [[nodiscard]] bool ever_matched() const noexcept { return ever_matched_; }
  // Returns since when no link matches, although one did; nullopt also after accept_absence().
  [[nodiscard]] const std::optional<TimePoint>& no_port_since() const noexcept { return no_port_since_; }
  // Accepts that no link matches this filter, if none does.
  void accept_absence() noexcept {
    no_port_since_.reset();
    absence_accepted_ = true;
  }
  [[nodiscard]] bool absence_accepted() const noexcept { return absence_accepted_; }
  // Returns the port of this link, or `none` when it does not match.
  [[nodiscard]] Slot slot_of(std::int32_t ifindex) const;

  static constexpr Slot none = UINT32_MAX;
  [[nodiscard]] Slot find(std::string_view name) const;
  // Returns the port of this name, and creates it if there is none: for a row whose link is gone.
  Slot intern(std::string_view name);
  // Releases the slot of a port without a link.
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
    bool robbed = false;  // another link was described with its name
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
