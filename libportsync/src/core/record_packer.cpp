// SPDX-License-Identifier: Apache-2.0
#include "core/record_packer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace portsync::core {
namespace {

// Precedes each value.
struct Header {
  std::uint32_t name = 0;  // index in names_
  std::uint32_t size = 0;
};

}  // namespace

void RecordPacker::pack(const PortRecord& record, std::string& packed) {
  std::size_t size = 0;
  for (const Field& field : record.fields) size += sizeof(Header) + field.value.size();
  packed.resize(size);
  char* to = packed.data();
  std::uint32_t likely = 0;
  for (const Field& field : record.fields) {
    const Header header{number(field.name, likely++), static_cast<std::uint32_t>(field.value.size())};
    std::memcpy(to, &header, sizeof header);
    to = std::copy(field.value.begin(), field.value.end(), to + sizeof header);
  }
}

void RecordPacker::unpack(std::string_view packed, PortRecord& record) const {
  std::size_t count = 0;
  while (!packed.empty()) {
    Header header;
    std::memcpy(&header, packed.data(), sizeof header);
    if (count == record.fields.size()) record.fields.emplace_back();
    Field& field = record.fields[count++];
    field.name = names_[header.name];
    field.value.assign(packed.substr(sizeof header, header.size));
    packed.remove_prefix(sizeof header + header.size);
  }
  record.fields.resize(count);
}

// `likely`: the index to try first, because a record usually has the same fields as the previous one.
std::uint32_t RecordPacker::number(std::string_view name, std::uint32_t likely) {
  if (likely < names_.size() && names_[likely] == name) return likely;
  const auto known = std::find(names_.begin(), names_.end(), name);
  const auto number = static_cast<std::uint32_t>(known - names_.begin());
  if (known == names_.end()) names_.push_back(name);
  return number;
}

}  // namespace portsync::core
