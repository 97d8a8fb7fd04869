// SPDX-License-Identifier: Apache-2.0
#include "sim/links.hpp"

namespace sim {

Links::Links(Kernel& kernel, const Setup& setup) : kernel_(kernel), setup_(setup) {
  bridge_ = kernel_.add({.name = "br0", .kind = "bridge"});
  for (std::uint32_t i = 0; i < setup.ports; ++i) {
    if (i % 3 != 2) add(i, i, 0);
  }
}

std::string Links::name(std::uint32_t number) const {
  return "Ethernet" + std::to_string(number % setup_.ports * 4);
}

void Links::add_first() {
  const Link* link = port(0);
  if (link != nullptr) kernel_.remove(link->ifindex);
  const std::int32_t ifindex = kernel_.add({.name = name(0)});
  kernel_.set_admin(ifindex, true);
}

// Returns the state that a step asks for: 1 = off, 2 = on, any other = the opposite of the present one.
bool Links::wanted(const Step& step, bool now) {
  return step.c == 1 ? false : step.c == 2 || !now;
}

// Adds a veth, or a port of hardware, which has no peer.
bool Links::add(std::uint32_t number, std::uint32_t choice, std::int32_t ifindex) {
  Kernel::NewLink link;
  link.name = name(number);
  if (choice % 2 != 0) link.kind = "";
  link.ifindex = ifindex;
  return kernel_.add(link) != 0;
}

bool Links::set_carrier(const Link& link, bool on) {
  if (link.peer != 0) return kernel_.set_admin(link.peer, on);
  return kernel_.set_carrier(link.ifindex, on);
}

bool Links::swap(const Link& one, const Link& other) {
  const std::int32_t index = one.ifindex;
  const std::int32_t other_index = other.ifindex;
  const std::string first_name = one.name;
  const std::string second_name = other.name;
  return kernel_.rename(index, "swapping") && kernel_.rename(other_index, first_name) && kernel_.rename(index, second_name);
}

void Links::act(const Step& step) {
  const Link* link = port(step.a);
  if (step.act == Act::add) return count_if(link == nullptr && add(step.a, step.b, 0));
  if (step.act == Act::others) {
    // Adds or removes a link that is no port.
    const Link* other = kernel_.find("other0");
    return count_if(other != nullptr ? kernel_.remove(other->ifindex) : kernel_.add({.name = "other0", .kind = ""}) != 0);
  }
  if (link == nullptr) return;
  const std::int32_t ifindex = link->ifindex;
  switch (step.act) {
    case Act::remove:
      return count_if(kernel_.remove(ifindex));
    case Act::admin:
      return count_if(kernel_.set_admin(ifindex, wanted(step, link->admin_up)));
    case Act::carrier: {
      const Link* peer = kernel_.find(link->peer);
      return count_if(set_carrier(*link, wanted(step, peer != nullptr ? peer->admin_up : link->carrier)));
    }
    case Act::mtu:
      return count_if(kernel_.set_mtu(ifindex, 1000 + step.b % 8000));
    case Act::address:
      return count_if(kernel_.set_address(ifindex, {2, 0, 0, 0, 1, static_cast<std::uint8_t>(step.b)}));
    case Act::rename:
      return count_if(kernel_.rename(ifindex, step.c % 4 == 0 ? "renamed" + std::to_string(step.b % 3) : name(step.b)));
    case Act::swap: {
      const Link* other = port(step.b);
      return count_if(other != nullptr && other != link && swap(*link, *other));
    }
    case Act::enslave:
      return count_if(kernel_.set_master(ifindex, link->master == 0 ? bridge_ : 0));
    case Act::alternative_name: {
      const std::string alternative = "alt" + std::to_string(step.b % 5) + "of" + std::to_string(ifindex);
      return count_if(kernel_.add_name(ifindex, alternative) || kernel_.remove_name(ifindex, alternative));
    }
    case Act::replace:
      // Removes the link and adds it again at once, sometimes with the same ifindex.
      kernel_.remove(ifindex);
      ++operations_;
      return count_if(add(step.a, step.b, step.c % 3 == 0 ? ifindex : 0));
    case Act::kind:
      return count_if(kernel_.set_kind(ifindex, link->kind == "team" ? "" : "team"));
    case Act::flap:
      for (std::uint32_t i = 0; i < 2 + step.b % 12; ++i) {
        const Link* now = kernel_.find(ifindex);
        const Link* peer = kernel_.find(now->peer);
        count_if(set_carrier(*now, peer != nullptr ? !peer->admin_up : !now->carrier));
      }
      return;
    default:
      return;
  }
}

}  // namespace sim
