// SPDX-License-Identifier: Apache-2.0
// Converts links with every kind of member to lines of a trace and back, and compares them. Prints the lines.
#include <cstdio>

#include "trace.hpp"

using portsync::LinkState;

namespace {

LinkState full() {
  LinkState link;
  link.ifindex = 7;
  link.name = "Ethernet0";
  link.flags = 0x10043;
  link.operstate = portsync::OperState::up;
  link.mtu = 9100;
  link.carrier_changes = 5;
  link.carrier_up_count = 3;
  link.carrier_down_count = 2;
  link.address.bytes = {0, 0x20, '-', '%', 0xff, 5};
  link.address.size = 6;
  link.master = 9;
  link.parent = 11;
  link.parent_netnsid = -1;
  link.kind = "vlan";
  link.slave_kind = "team";
  link.phys_port_name = "p 0%41,\n";
  link.alternative_names = {"-", "a b", "%20", "\xc3\xa4"};
  return link;
}

}  // namespace

int main() {
  for (const LinkState& link : {LinkState{}, full()}) {
    const trace::Step step{std::chrono::microseconds(12), portsync::LinkEvent::Kind::changed, portsync::Cause::resync,
                           link};
    const std::string line = trace::to_line(step);
    std::printf("%s\n", line.c_str());
    const trace::Step again = trace::from_line(line);
    if (again.link != link || again.at != step.at || again.kind != step.kind || again.cause != step.cause) return 1;
  }
  return 0;
}
