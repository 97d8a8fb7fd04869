// SPDX-License-Identifier: Apache-2.0
#include "faces/dbus/port_changes.hpp"

namespace portsyncd {
namespace {

// Assigns in place if possible, so that the memory of the fields is reused.
void assign(PortChanges::Record& record, const portsync::PortRecord* from) {
  if (from == nullptr) {
    record.reset();
  } else {
    record = *from;
  }
}

}  // namespace

void PortChanges::add(std::string_view port, const portsync::PortRecord* before, const portsync::PortRecord* now) {
  auto* found = find_or_make(port);
  if (found == nullptr) {
    ++dropped_;
    return;
  }
  Entry& entry = found->second;
  if (!entry.waits) {
    waiting_.push_back(found);
    entry.waits = true;
    assign(entry.before, before);
  }
  assign(entry.now, now);
}

void PortChanges::clear() {
  waiting_.clear();
  entries_.clear();
}

PortChanges::Entries::value_type* PortChanges::find_or_make(std::string_view port) {
  const auto found = entries_.find(port);
  if (found != entries_.end()) return &*found;
  if (entries_.size() >= most_) {
    if (waiting_.size() >= most_) return nullptr;
    std::erase_if(entries_, [](const auto& entry) { return !entry.second.waits; });
  }
  return &*entries_.emplace(port, Entry()).first;
}

}  // namespace portsyncd
