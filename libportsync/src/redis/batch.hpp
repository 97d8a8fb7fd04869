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

// Collects the commands of one flush(): those of the rows in the order of the calls, and what becomes of the index,
// which is one HSET and one HDEL at most, whatever number of ports. Pure. Its memory is kept from batch to batch.
class Batch {
 public:
  explicit Batch(const StateSinkOptions& options) : options_(options) {}

  // Return the number of commands of the row: 0 when only the index changes, or nothing; 2 when fields come and others
  // go.
  std::size_t put(const PortRecord& record, const PortRecord* stored);
  std::size_t erase(std::string_view port);
  // The first command of an erase() lists the fields of the key that goes. Not in a transaction, which would go down
  // with it if it is refused.
  [[nodiscard]] bool looks() const noexcept { return options_.erase == EraseMode::whole_key && !options_.index; }

  struct Layout {
    bool transaction = false;  // MULTI before, EXEC after
    std::size_t rows = 0;      // commands
    std::size_t index_commands = 0;
  };
  // Adds everything to `out` and starts the next batch. The index is written in a transaction with the rows if that is
  // wanted, else after them.
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

  const StateSinkOptions& options_;
  CommandBuffer rows_;
  std::vector<IndexChange> index_;
  std::size_t index_size_ = 0;  // of index_: the rest is memory to be used again
  std::vector<std::string_view> words_;
  std::string key_;
};

}  // namespace portsync::redis
