// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <portsync/port_record.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace portsync::core {

// Packs the fields of records into one text each, for a row is kept for as long as its port lives, and there are
// thousands: a tenth of the memory, and no allocation when a text of the same length takes its place. Texts of one
// packer are equal exactly when their fields are, in the same order.
class RecordPacker {
 public:
  void pack(const PortRecord& record, std::string& packed);
  // Sets the fields of the record; the name of its port is not packed.
  void unpack(std::string_view packed, PortRecord& record) const;

 private:
  [[nodiscard]] std::uint32_t number(std::string_view name, std::uint32_t likely);

  std::vector<std::string_view> names_;  // of fields, seen so far
};

}  // namespace portsync::core
