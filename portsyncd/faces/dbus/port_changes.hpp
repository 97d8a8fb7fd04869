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

// Changes of rows that wait to be told, one for each port: what the row was before the first of them, and what it is
// now. Bounded: a change that has no place is counted, not kept. A port that has changed before costs no allocation.
class PortChanges {
 public:
  using Record = std::optional<portsync::PortRecord>;  // std::nullopt: no row, or not known

  explicit PortChanges(std::size_t most) : most_(most) {}

  // nullptr is std::nullopt.
  void add(std::string_view port, const portsync::PortRecord* before, const portsync::PortRecord* now);

  // The oldest `count` of those that wait go to tell(port, before, now). A row that is again what it was is not told.
  template <typename Tell>
  void take(std::size_t count, Tell tell) {
    std::size_t taken = 0;
    while (count > 0 && taken < waiting_.size()) {
      auto& [port, entry] = *waiting_[taken++];
      entry.waits = false;
      if (entry.before && entry.before == entry.now) continue;
      tell(port, entry.before, entry.now);
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
  Entries entries_;                            // those that do not wait are kept for their memory
  std::vector<Entries::value_type*> waiting_;  // in the order of their first change
  std::uint64_t dropped_ = 0;
};

}  // namespace portsyncd
