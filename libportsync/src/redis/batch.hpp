// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <portsync/port_record.hpp>
#include <portsync/redis/state_sink.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "redis/resp.hpp"

namespace portsync::redis {

// Collects the commands of one flush(): those of the rows in the order of the calls, and those of the index. The index
// takes one HSET and one HDEL at most, for any number of ports. Pure. Each batch reuses the memory of the previous one.
class Batch {
 public:
  explicit Batch(const StateSinkOptions& options) : options_(options) {}

  // While the index is suspended, changes of it are dropped: since a write to it was refused, its entries are unknown.
  // The next read-back ends that, and the one of all rows compares the entries. Initially it is not suspended.
  void suspend_index(bool suspended) noexcept { index_suspended_ = suspended; }
  [[nodiscard]] bool index_suspended() const noexcept { return index_suspended_; }

  // Add the commands of one row and return their number: 0 if only the index changes, or nothing; 2 if some fields are
  // set and others are deleted.
  std::size_t put(const PortRecord& record, const PortRecord* stored);
  std::size_t erase(std::string_view port);
  // Returns whether the first command of an erase() lists the fields of the key that it deletes. It never does in a
  // transaction, because a refusal of that command would abort the transaction.
  [[nodiscard]] bool looks() const noexcept { return options_.erase == EraseMode::whole_key && !options_.index; }

  struct Layout {
    bool transaction = false;  // MULTI before, EXEC after
    std::size_t rows = 0;      // number of the rows' commands
    std::size_t index_commands = 0;
  };
  // Adds all commands to `out` and starts the next batch. Writes the index in one transaction with the rows if
  // `transaction` is true, and otherwise after them.
  Layout finish(CommandBuffer& out, bool transaction);

  void clear() noexcept;

 private:
  struct IndexChange {
    std::string port;
    std::optional<std::string> value;  // std::nullopt: removed
  };

  void set_fields(const PortRecord& record);
  std::size_t remove_missing_fields(const PortRecord& record, const PortRecord* stored);
  void change_index(std::string_view port, const std::string* value);
  void keep_last_change_of_each_port();
  std::size_t add_index_commands(CommandBuffer& out);
  std::string_view key(std::string_view port);

  [[nodiscard]] bool writes_index() const noexcept { return options_.index && !index_suspended_; }

  const StateSinkOptions& options_;
  bool index_suspended_ = false;
  CommandBuffer rows_;
  std::vector<IndexChange> index_;
  std::size_t index_size_ = 0;  // used elements of index_; the others are kept for their memory
  std::vector<std::string_view> words_;
  std::string key_;
};

}  // namespace portsync::redis
