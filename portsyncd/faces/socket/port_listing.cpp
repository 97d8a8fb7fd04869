// SPDX-License-Identifier: Apache-2.0
#include "faces/socket/port_listing.hpp"

#include <algorithm>
#include <utility>

#include "faces/socket/control_json.hpp"

namespace portsyncd {
namespace {

bool comes_later(const std::string& a, const std::string& b) {
  return name_less(b, a);
}

}  // namespace

// Uses a heap, because it is cheap to build, and each part then sorts only the names that it lists.
PortListing::PortListing(const Control& control, std::string pattern, portsync::TimePoint begun)
    : control_(control),
      pattern_(std::move(pattern)),
      begun_(begun),
      compared_(control.compared()),
      names_(control.names(pattern_)) {
  std::make_heap(names_.begin(), names_.end(), comes_later);
}

void PortListing::make_more() {
  if (complete_) return;
  for (std::size_t i = 0; i < ports_at_once && !names_.empty(); ++i) {
    std::pop_heap(names_.begin(), names_.end(), comes_later);
    const std::string name = std::move(names_.back());
    names_.pop_back();
    const auto port = control_.port(name);
    if (!port) continue;  // removed since the beginning
    if (std::exchange(any_, true)) text_ += ',';
    text_ += control_json::text_of(*port, compared_);
  }
  complete_ = names_.empty();
  if (complete_) text_ += "]}\n";
}

}  // namespace portsyncd
