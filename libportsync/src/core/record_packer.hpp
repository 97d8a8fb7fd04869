// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <portsync/port_record.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace portsync::core {

// Packs the fields of a record into one text. A row is stored for as long as its port lives, and there are thousands,
// so this needs a tenth of the memory. Replacing a text by one of the same length allocates nothing. Two texts of one
// packer are equal exactly when their fields are, in the same order.
class RecordPacker {
 public:
  void pack(const PortRecord& record, std::string& packed);
  // Sets the fields of the record. The packed text does not contain the port's name.
  void unpack(std::string_view packed, PortRecord& record) const;

 private:
  [[nodiscard]] std::uint32_t number(std::string_view name, std::uint32_t likely);

  std::vector<std::string_view> names_;  // all field names seen so far
};

}  // namespace portsync::core
