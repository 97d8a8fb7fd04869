// SPDX-License-Identifier: Apache-2.0
#include "redis/batch.hpp"

#include <algorithm>

#include "redis/fields.hpp"

namespace portsync::redis {
namespace {

// Returns whether the records are equal apart from the index.
bool same_row(const PortRecord& a, const PortRecord& b) noexcept {
  const auto row_size = [](const PortRecord& record) {
    return record.fields.size() - (find_field(record, index_field) != nullptr ? 1U : 0U);
  };
  if (row_size(a) != row_size(b)) return false;
  return std::all_of(a.fields.begin(), a.fields.end(), [&b](const Field& field) {
    if (field.name == index_field) return true;
    const std::string* other = find_field(b, field.name);
    return other != nullptr && *other == field.value;
  });
}

}  // namespace

std::size_t Batch::put(const PortRecord& record, const PortRecord* stored) {
  std::size_t commands = 0;
  if (stored == nullptr || !same_row(record, *stored)) {
    const std::size_t before = rows_.commands();
    set_fields(record);
    remove_missing_fields(record, stored);
    commands = rows_.commands() - before;
  }
  if (!writes_index()) return commands;
  const std::string* value = find_field(record, index_field);
  const std::string* old = stored == nullptr ? nullptr : find_field(*stored, index_field);
  if (value != nullptr && (old == nullptr || *old != *value)) change_index(record.port, value);
  return commands;
}

std::size_t Batch::erase(std::string_view port) {
  words_.clear();
  if (options_.erase == EraseMode::whole_key) {
    if (looks()) rows_.add({"HKEYS", key(port)});
    words_.insert(words_.end(), {"DEL", key(port)});
  } else {
    words_.insert(words_.end(), {"HDEL", key(port)});  // Redis deletes the key together with its last field
    words_.insert(words_.end(), own_fields.begin(), own_fields.end());
  }
  rows_.add(words_);
  if (writes_index()) change_index(port, nullptr);
  return looks() ? 2 : 1;
}

void Batch::set_fields(const PortRecord& record) {
  words_.clear();
  words_.insert(words_.end(), {"HSET", key(record.port)});
  for (const Field& field : record.fields) {
    if (field.name != index_field) words_.insert(words_.end(), {field.name, field.value});
  }
  if (words_.size() > 2) rows_.add(words_);
}

// Removes the fields that the record no longer has (for example an mtu that the kernel did not report). Otherwise they
// would stay for ever, and every audit would find them again.
std::size_t Batch::remove_missing_fields(const PortRecord& record, const PortRecord* stored) {
  words_.clear();
  words_.insert(words_.end(), {"HDEL", key(record.port)});
  for (const std::string_view name : own_fields) {
    const bool may_be_stored = stored == nullptr || find_field(*stored, name) != nullptr;
    if (may_be_stored && find_field(record, name) == nullptr) words_.push_back(name);
  }
  const std::size_t missing = words_.size() - 2;
  if (missing > 0) rows_.add(words_);
  return missing;
}

void Batch::change_index(std::string_view port, const std::string* value) {
  if (index_size_ == index_.size()) index_.emplace_back();
  IndexChange& change = index_[index_size_++];
  change.port.assign(port);
  if (value == nullptr) {
    change.value.reset();
  } else {
    change.value = *value;
  }
}

Batch::Layout Batch::finish(CommandBuffer& out, bool transaction) {
  keep_last_change_of_each_port();
  Layout layout;
  layout.transaction = transaction && index_size_ > 0;
  layout.rows = rows_.commands();
  if (layout.transaction) out.add({"MULTI"});
  out.append(rows_);
  layout.index_commands = add_index_commands(out);
  if (layout.transaction) out.add({"EXEC"});
  clear();
  return layout;
}

void Batch::clear() noexcept {
  rows_.clear();
  index_size_ = 0;
}

// Keeps only the last change of each port, because the index is written by one command for all ports. A port may be
// erased and put in the same batch.
void Batch::keep_last_change_of_each_port() {
  const auto begin = index_.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(index_size_);
  const auto by_port = [](const IndexChange& a, const IndexChange& b) { return a.port < b.port; };
  if (index_size_ < 2) return;
  std::stable_sort(begin, end, by_port);
  // std::unique() keeps the first of equal elements, so iterate backwards.
  const auto reverse_end = std::make_reverse_iterator(begin);
  const auto kept = std::unique(std::make_reverse_iterator(end), reverse_end,
                                [](const IndexChange& a, const IndexChange& b) { return a.port == b.port; });
  index_size_ = static_cast<std::size_t>(kept - std::make_reverse_iterator(end));
  std::rotate(begin, kept.base(), end);
}

std::size_t Batch::add_index_commands(CommandBuffer& out) {
  const std::size_t before = out.commands();
  const auto end = index_.begin() + static_cast<std::ptrdiff_t>(index_size_);
  words_.assign({"HSET", options_.table});
  for (auto it = index_.begin(); it != end; ++it) {
    if (it->value) words_.insert(words_.end(), {it->port, *it->value});
  }
  if (words_.size() > 2) out.add(words_);
  words_.assign({"HDEL", options_.table});
  for (auto it = index_.begin(); it != end; ++it) {
    if (!it->value) words_.push_back(it->port);
  }
  if (words_.size() > 2) out.add(words_);
  return out.commands() - before;
}

std::string_view Batch::key(std::string_view port) {
  key_.assign(options_.table).append(options_.separator).append(port);
  return key_;
}

}  // namespace portsync::redis
