// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <portsync/link_source.hpp>
#include <portsync/link_state.hpp>

namespace portsync {

const char* to_string(OperState state) noexcept {
  switch (state) {
    case OperState::unknown:
      break;
    case OperState::not_present:
      return "notpresent";
    case OperState::down:
      return "down";
    case OperState::lower_layer_down:
      return "lowerlayerdown";
    case OperState::testing:
      return "testing";
    case OperState::dormant:
      return "dormant";
    case OperState::up:
      return "up";
  }
  return "unknown";
}

const char* to_string(Cause cause) noexcept {
  switch (cause) {
    case Cause::initial:
      return "initial";
    case Cause::notified:
      return "notified";
    case Cause::resync:
      return "resync";
  }
  return "unknown";
}

bool operator==(const HardwareAddress& a, const HardwareAddress& b) noexcept {
  return a.size == b.size && std::equal(a.bytes.begin(), a.bytes.begin() + a.size, b.bytes.begin());
}

std::string to_string(const HardwareAddress& address) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(address.size * std::size_t{3});
  for (std::size_t i = 0; i < address.size; ++i) {
    if (i > 0) text += ':';
    text += digits[address.bytes[i] >> 4U];
    text += digits[address.bytes[i] & 0xfU];
  }
  return text;
}

// Compares first the members that change most often.
bool operator==(const LinkState& a, const LinkState& b) noexcept {
  return a.ifindex == b.ifindex && a.flags == b.flags && a.operstate == b.operstate && a.mtu == b.mtu &&
         a.carrier_changes == b.carrier_changes && a.carrier_up_count == b.carrier_up_count &&
         a.carrier_down_count == b.carrier_down_count && a.name == b.name && a.address == b.address &&
         a.master == b.master && a.parent == b.parent && a.parent_netnsid == b.parent_netnsid && a.kind == b.kind &&
         a.slave_kind == b.slave_kind && a.phys_port_name == b.phys_port_name &&
         a.alternative_names == b.alternative_names;
}

}  // namespace portsync
