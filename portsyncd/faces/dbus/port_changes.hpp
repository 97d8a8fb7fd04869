// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <portsync/port_record.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace portsyncd {

// Changes of rows that have not been signalled yet, one for each port. A change has the row before the port's first
// change and the row now. The number is bounded: a change that does not fit is counted and not stored. A port that has
// changed before costs no allocation.
class PortChanges {
 public:
  using Record = std::optional<portsync::PortRecord>;  // std::nullopt: no row, or unknown

  explicit PortChanges(std::size_t most) : most_(most) {}

  // Adds a change. A nullptr stands for std::nullopt.
  void add(std::string_view port, const portsync::PortRecord* before, const portsync::PortRecord* now);

  // Removes the oldest `count` changes and calls `visit`(port, before, now) for each. Skips a row that is equal to what
  // it was before.
  template <typename Visit>
  void take(std::size_t count, Visit visit) {
    std::size_t taken = 0;
    while (count > 0 && taken < waiting_.size()) {
      auto& [port, entry] = *waiting_[taken++];
      entry.waits = false;
      if (entry.before && entry.before == entry.now) continue;
      visit(port, entry.before, entry.now);
      --count;
    }
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken));
  }

  void clear();

  [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  struct Entry {
    Record before;
    Record now;
    bool waits = false;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  Entries::value_type* find_or_make(std::string_view port);

  std::size_t most_;
  Entries entries_;                            // those that do not wait are kept, so that their memory is reused
  std::vector<Entries::value_type*> waiting_;  // in the order of their first change
  std::uint64_t dropped_ = 0;
};

}  // namespace portsyncd
