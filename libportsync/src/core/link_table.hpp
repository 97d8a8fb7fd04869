// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <portsync/link_source.hpp>
#include <unordered_map>
#include <vector>

namespace portsync::core {

// The links of a namespace by ifindex. It is fed with notifications and with the replies of snapshots, which may arrive
// in any order relative to each other. It reports only what differs from the known state.
//
// A snapshot's reply may be older than a notification that was read before it, but never the other way round. So, from
// begin_snapshot() to end_snapshot(), an ifindex touched by a notification ignores replies and survives the sweep. A
// removal leaves a tombstone. Pure: no descriptors, no clock.
class LinkTable {
 public:
  // Every member below calls the handler, with events that point into the table.
  explicit LinkTable(LinkSource::Handler handler) : handler_(std::move(handler)) {}

  // Begins a listing that has been requested. From here on, the table records which links notifications touch. Replaces
  // a listing that has not ended.
  void begin_snapshot(Cause cause, TimePoint now);
  // Stores a reply of the listing.
  void on_snapshot_link(const LinkState& link, TimePoint now);
  // Returns the known links that have been neither listed nor notified since: end_snapshot() would remove them.
  [[nodiscard]] std::vector<std::int32_t> unlisted() const;
  // Ends a complete listing. Removes links that it did not list, and reports them with its cause.
  void end_snapshot(TimePoint now);
  // Ends an incomplete listing, and removes no link.
  void abort_snapshot() noexcept;

  // Handles a notification: RTM_NEWLINK and RTM_DELLINK.
  void on_changed(const LinkState& link, TimePoint now);
  void on_removed(std::int32_t ifindex, TimePoint now);

  // Notifications were lost: a link may be gone, and a new one may have its ifindex. If the next description has
  // another address or kind, or a lower carrier count, the link is reported as removed and new. Without a loss it is
  // the same link with another address, because its removal would have been notified.
  void on_loss() noexcept { ++losses_; }

  void on_drained(TimePoint now);

  [[nodiscard]] bool snapshot_running() const noexcept { return snapshot_running_; }
  [[nodiscard]] std::size_t size() const noexcept { return alive_; }
  // Returns the number of removed links that are remembered because replies about them may still come. 0 without a
  // snapshot.
  [[nodiscard]] std::size_t tombstones() const noexcept { return entries_.size() - alive_; }
  [[nodiscard]] std::uint64_t changes() const noexcept { return changes_; }

 private:
  struct Entry {
    LinkState link;
    bool alive = false;         // false: a tombstone
    std::uint32_t losses = 0;   // losses_ when it was last described
    std::uint64_t touched = 0;  // the snapshot during which a notification touched it
    std::uint64_t listed = 0;   // the latest snapshot that listed it
  };

  [[nodiscard]] bool in_doubt(const Entry& entry) const noexcept {
    return entry.alive && entry.listed != snapshot_ && entry.touched != snapshot_;
  }
  void forget_removed() noexcept;
  void update(Entry& entry, const LinkState& link, Cause cause, TimePoint now);
  void remove(Entry& entry, Cause cause, TimePoint now);

  LinkSource::Handler handler_;
  std::unordered_map<std::int32_t, Entry> entries_;
  LinkState before_;  // scratch: the target of the event's `before`
  std::uint64_t snapshot_ = 0;
  std::uint64_t changes_ = 0;
  std::size_t alive_ = 0;
  std::uint32_t losses_ = 0;
  Cause snapshot_cause_ = Cause::initial;
  bool snapshot_running_ = false;
};

}  // namespace portsync::core
