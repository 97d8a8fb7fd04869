// SPDX-License-Identifier: Apache-2.0
#include "sim/kernel.hpp"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sim {
namespace {

constexpr std::uint8_t oper_down = 2;
constexpr std::uint8_t oper_lower_layer_down = 3;
constexpr std::uint8_t oper_up = 6;
constexpr std::uint8_t oper_unknown = 0;

constexpr std::size_t aligned(std::size_t size) {
  return (size + 3) & ~std::size_t{3};
}

class Writer {
 public:
  explicit Writer(std::vector<std::byte>& out) : out_(out), begin_(out.size()) {}
  template <typename T>
  void put(const T& value) {
    append(&value, sizeof value);
  }
  void attribute(std::uint16_t type, const void* data, std::size_t size) {
    const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + size), type};
    put(header);
    append(data, size);
  }
  template <typename T>
  void integer(std::uint16_t type, T value) {
    attribute(type, &value, sizeof value);
  }
  void text(std::uint16_t type, const std::string& value) { attribute(type, value.c_str(), value.size() + 1); }
  std::size_t open(std::uint16_t type) {
    const std::size_t at = out_.size();
    put(nlattr{0, type});
    return at;
  }
  void close(std::size_t at) {
    const auto size = static_cast<std::uint16_t>(out_.size() - at);
    std::memcpy(out_.data() + at, &size, sizeof size);
  }
  void end_message() {
    const auto size = static_cast<std::uint32_t>(out_.size() - begin_);
    std::memcpy(out_.data() + begin_, &size, sizeof size);
  }

 private:
  void append(const void* data, std::size_t size) {
    const std::size_t at = out_.size();
    out_.resize(at + aligned(size));
    std::memcpy(out_.data() + at, data, size);
  }
  std::vector<std::byte>& out_;
  std::size_t begin_;
};

bool may_have_carrier(const Link& link) {
  return link.kind == "veth" || link.kind == "macvlan" || link.kind == "bridge";
}

}  // namespace

std::uint32_t Link::flags() const noexcept {
  std::uint32_t flags = kind == "loopback" ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST;
  if (!admin_up) return flags;
  flags |= IFF_UP;
  if (operstate == oper_up || operstate == oper_unknown) flags |= IFF_RUNNING;
  if (carrier) flags |= IFF_LOWER_UP;
  return flags;
}

const Link* Kernel::find(std::int32_t ifindex) const {
  const auto found = links_.find(ifindex);
  return found == links_.end() ? nullptr : &found->second;
}

const Link* Kernel::find(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : find(found->second);
}

Link* Kernel::find_link(std::int32_t ifindex) {
  return const_cast<Link*>(std::as_const(*this).find(ifindex));
}

// While links come and go, each call returns another number.
std::uint32_t Kernel::sequence() noexcept {
  if (world_.now() < churn_until_) ++sequence_;
  return sequence_;
}

void Kernel::changed(const Link& link) {
  if (link.netns == 0 && observer_) observer_(link, false);
}

// ---- operations

std::int32_t Kernel::add(const NewLink& wanted) {
  if (wanted.name.empty() || names_.count(wanted.name) != 0) return 0;
  if (wanted.ifindex != 0 && links_.count(wanted.ifindex) != 0) return 0;
  const auto new_address = [this](const auto& given) {
    if (given) return *given;
    std::array<std::uint8_t, 6> address{2};
    for (std::size_t i = 1; i < address.size(); ++i) address[i] = static_cast<std::uint8_t>(world_.noise().next());
    return address;
  };
  const auto next = [this] {
    while (links_.count(next_ifindex_) != 0) ++next_ifindex_;
    return next_ifindex_++;
  };
  // The peer is registered first. Its first message does not name the other end.
  std::int32_t peer = 0;
  if (wanted.kind == "veth") {
    peer = next();
    Link& link = links_[peer];
    link.ifindex = peer;
    link.netns = wanted.peer_netns;
    link.name = wanted.peer_name.empty() ? "peer" + std::to_string(peer) : wanted.peer_name;
    link.kind = "veth";
    link.carrier = false;
    link.carrier_down_count = 1;  // veth's own
    link.address = new_address(wanted.peer_address);
    if (link.netns == 0) {
      names_[link.name] = peer;
      ++sequence_;
      changed(link);
      notify(link, RTM_NEWLINK);
    }
  }
  const std::int32_t ifindex = wanted.ifindex != 0 ? wanted.ifindex : next();
  Link& link = links_[ifindex];
  link.ifindex = ifindex;
  link.name = wanted.name;
  link.kind = wanted.kind;
  link.peer = peer;
  link.lower = wanted.lower;
  link.carrier = peer == 0;
  link.carrier_down_count = peer == 0 ? 0 : 1;
  if (const Link* lower = find(wanted.lower)) link.mtu = lower->mtu;
  link.address = new_address(wanted.address);
  if (peer != 0) links_[peer].peer = ifindex;
  names_[link.name] = ifindex;
  ++sequence_;
  changed(link);
  notify(link, RTM_NEWLINK);
  return ifindex;
}

bool Kernel::remove(std::int32_t ifindex) {
  Link* link = find_link(ifindex);
  if (link == nullptr) return false;
  std::vector<std::int32_t> going;
  for (const auto& [index, other] : links_) {
    if (other.lower == ifindex) going.push_back(index);
  }
  going.push_back(ifindex);
  if (link->peer != 0) going.push_back(link->peer);
  for (const std::int32_t index : going) links_.at(index).peer = 0;  // a veth's ends part first
  for (const std::int32_t index : going) {
    Link& one = links_.at(index);
    if (one.admin_up) {
      one.admin_up = false;
      set_carrier_of(one, false);
      update_operstate(one);
      changed(one);
      notify(one, RTM_NEWLINK);
    }
  }
  for (const std::int32_t index : going) unlist(links_.at(index));
  for (const std::int32_t index : going) links_.erase(index);
  return true;
}

void Kernel::unlist(Link& link) {
  if (link.master != 0) {
    notify(link, RTM_DELLINK, AF_BRIDGE);
    link.master = 0;
  }
  for (auto& [index, other] : links_) {
    if (other.master == link.ifindex) detach(other);
  }
  if (link.netns != 0) return;
  names_.erase(link.name);
  ++sequence_;
  if (observer_) observer_(link, true);
  notify(link, RTM_DELLINK);
}

bool Kernel::set_admin(std::int32_t ifindex, bool up) {
  Link* link = find_link(ifindex);
  if (link == nullptr || link->admin_up == up) return false;
  link->admin_up = up;
  Link* peer = find_link(link->peer);
  if (peer != nullptr) {
    const bool both = up && peer->admin_up;
    set_carrier_of(*link, both);
    set_carrier_of(*peer, both);
    if (!peer->admin_up) watched_.erase(std::remove(watched_.begin(), watched_.end(), peer->ifindex), watched_.end());
  }
  // The kernel announces "up" before the link watch looks at the carrier, and "down" at once.
  if (!up) update_operstate(*link);
  if (up && !may_have_carrier(*link) && link->carrier) watch(*link);
  if (up) link->operstate = link->carrier && link->kind == "bridge" ? oper_unknown : oper_lower_layer_down;
  changed(*link);
  notify(*link, RTM_NEWLINK);
  return true;
}

bool Kernel::set_mtu(std::int32_t ifindex, std::uint32_t mtu) {
  Link* link = find_link(ifindex);
  if (link == nullptr || link->mtu == mtu || mtu < 68) return false;
  link->mtu = mtu;
  changed(*link);
  notify(*link, RTM_NEWLINK);
  return true;
}

bool Kernel::set_address(std::int32_t ifindex, const std::array<std::uint8_t, 6>& address) {
  Link* link = find_link(ifindex);
  if (link == nullptr) return false;
  link->address = address;
  changed(*link);
  notify(*link, RTM_NEWLINK);
  return true;
}

bool Kernel::rename(std::int32_t ifindex, const std::string& name) {
  Link* link = find_link(ifindex);
  if (link == nullptr || link->netns != 0 || names_.count(name) != 0) return false;
  names_.erase(link->name);
  changed(*link);  // no link has that name now
  link->name = name;
  names_[name] = ifindex;
  changed(*link);
  notify(*link, RTM_NEWLINK);
  return true;
}

bool Kernel::set_master(std::int32_t ifindex, std::int32_t master) {
  Link* link = find_link(ifindex);
  if (link == nullptr || link->master == master || (master != 0 && find(master) == nullptr)) return false;
  if (link->master != 0) detach(*link);
  if (master == 0) return true;
  link->master = master;
  changed(*link);
  notify(*link, RTM_NEWLINK);
  notify(*link, RTM_NEWLINK);
  for (int i = 0; i < 3; ++i) notify(*link, RTM_NEWLINK, AF_BRIDGE);
  return true;
}

void Kernel::detach(Link& link) {
  notify(link, RTM_NEWLINK);
  notify(link, RTM_DELLINK, AF_BRIDGE);
  link.master = 0;
  changed(link);
  notify(link, RTM_NEWLINK);
}

bool Kernel::add_name(std::int32_t ifindex, const std::string& name) {
  Link* link = find_link(ifindex);
  if (link == nullptr || names_.count(name) != 0) return false;
  auto& names = link->alternative_names;
  if (std::find(names.begin(), names.end(), name) != names.end()) return false;
  names.push_back(name);
  changed(*link);
  if (link->admin_up) notify(*link, RTM_NEWLINK);  // netdev_state_change() sends nothing for a link that is down
  return true;
}

bool Kernel::remove_name(std::int32_t ifindex, const std::string& name) {
  Link* link = find_link(ifindex);
  if (link == nullptr) return false;
  auto& names = link->alternative_names;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return false;
  names.erase(found);
  changed(*link);
  if (link->admin_up) notify(*link, RTM_NEWLINK);
  return true;
}

bool Kernel::set_carrier(std::int32_t ifindex, bool on) {
  Link* link = find_link(ifindex);
  if (link == nullptr || link->peer != 0 || link->carrier == on) return false;
  set_carrier_of(*link, on);
  return true;
}

bool Kernel::set_kind(std::int32_t ifindex, const std::string& kind) {
  Link* link = find_link(ifindex);
  if (link == nullptr || link->kind == kind) return false;
  link->kind = kind;
  changed(*link);
  notify(*link, RTM_NEWLINK);
  return true;
}

// ---- carrier and operational state

void Kernel::set_carrier_of(Link& link, bool on) {
  if (link.carrier == on) return;
  link.carrier = on;
  ++(on ? link.carrier_up_count : link.carrier_down_count);
  changed(link);
  watch(link);
}

void Kernel::watch(Link& link) {
  if (std::find(watched_.begin(), watched_.end(), link.ifindex) == watched_.end()) watched_.push_back(link.ifindex);
  if (watch_due_) return;
  watch_due_ = true;
  world_.after(world_.noise().between(20, 800) * microsecond, [this] { run_link_watch(); });
}

// Announces the present state of the watched links, once for any number of changes.
void Kernel::run_link_watch() {
  watch_due_ = false;
  const std::vector<std::int32_t> watched = std::move(watched_);
  watched_.clear();
  for (const std::int32_t ifindex : watched) {
    Link* link = find_link(ifindex);
    if (link == nullptr) continue;
    update_operstate(*link);
    changed(*link);
    if (link->admin_up) notify(*link, RTM_NEWLINK);
  }
}

void Kernel::update_operstate(Link& link) const {
  if (!link.admin_up) {
    link.operstate = oper_down;
  } else if (link.carrier) {
    link.operstate = oper_up;
  } else {
    link.operstate = link.peer != 0 || link.lower != 0 ? oper_lower_layer_down : oper_down;
  }
}

// ---- messages

void Kernel::describe(std::vector<std::byte>& out, const Link& link, std::uint16_t type, std::uint16_t flags,
                      std::uint32_t sequence, std::uint32_t port, std::uint8_t family) const {
  Writer writer(out);
  writer.put(nlmsghdr{0, type, flags, sequence, port});
  ifinfomsg header{};
  header.ifi_family = family;
  header.ifi_type = link.kind == "loopback" ? 772 : 1;
  header.ifi_index = link.ifindex;
  header.ifi_flags = link.flags();
  writer.put(header);
  writer.text(IFLA_IFNAME, link.name);
  if (family == AF_BRIDGE) {
    if (link.master != 0) writer.integer(IFLA_MASTER, link.master);
    writer.integer(IFLA_MTU, link.mtu);
    writer.integer(IFLA_OPERSTATE, link.operstate);
    return writer.end_message();
  }
  writer.integer(IFLA_TXQLEN, std::uint32_t{1000});
  writer.integer(IFLA_OPERSTATE, link.operstate);
  writer.integer(IFLA_LINKMODE, std::uint8_t{0});
  writer.integer(IFLA_MTU, link.mtu);
  writer.integer(IFLA_GROUP, std::uint32_t{0});
  if (link.master != 0) writer.integer(IFLA_MASTER, link.master);
  writer.integer(IFLA_CARRIER, static_cast<std::uint8_t>(link.carrier));
  if (style_.carrier_changes) writer.integer(IFLA_CARRIER_CHANGES, link.carrier_up_count + link.carrier_down_count);
  if (style_.carrier_counts) {
    writer.integer(IFLA_CARRIER_UP_COUNT, link.carrier_up_count);
    writer.integer(IFLA_CARRIER_DOWN_COUNT, link.carrier_down_count);
  }
  writer.attribute(IFLA_ADDRESS, link.address.data(), link.address.size());
  if (!link.phys_port_name.empty()) writer.text(IFLA_PHYS_PORT_NAME, link.phys_port_name);
  if (!link.kind.empty() && link.kind != "loopback") {
    const std::size_t info = writer.open(IFLA_LINKINFO);
    writer.text(IFLA_INFO_KIND, link.kind);
    if (const Link* master = find(link.master)) writer.text(IFLA_INFO_SLAVE_KIND, master->kind);
    writer.close(info);
  }
  if (link.peer != 0 || link.lower != 0) {
    writer.integer(IFLA_LINK, link.peer != 0 ? link.peer : link.lower);
    const Link* other = find(link.peer);
    if (other != nullptr && other->netns != link.netns) writer.integer(IFLA_LINK_NETNSID, std::int32_t{0});
  }
  if (!link.alternative_names.empty()) {
    const std::size_t list = writer.open(IFLA_PROP_LIST | NLA_F_NESTED);
    for (const std::string& name : link.alternative_names) writer.text(IFLA_ALT_IFNAME, name);
    writer.close(list);
  }
  if (style_.padding != 0) {
    const std::vector<std::byte> zeros(style_.padding);
    writer.attribute(IFLA_AF_SPEC, zeros.data(), zeros.size());
  }
  writer.end_message();
}

void Kernel::notify(const Link& link, std::uint16_t type, std::uint8_t family) {
  if (link.netns != 0 || members_.empty()) return;
  const auto build = [&] {
    auto datagram = std::make_shared<Datagram>();
    describe(datagram->bytes, link, type, 0, 0, 0, family);
    return datagram;
  };
  if (world_.fails(faults.foreign)) {
    auto foreign = build();
    foreign->sender = 4711;
    for (NetlinkSocket* member : members_) member->deliver(foreign, style_.charge, true);
  }
  const std::shared_ptr<const Datagram> datagram = build();
  multicast(datagram, style_.charge);
  if (world_.fails(faults.racing)) multicast(datagram, style_.charge);
  if (type == RTM_NEWLINK && family == 0 && world_.fails(faults.partial)) send_partial(link);
}

void Kernel::multicast(const std::shared_ptr<const Datagram>& datagram, std::uint32_t charge) {
  if (deaf()) return;
  for (NetlinkSocket* member : members_) {
    if (world_.fails(faults.drop)) {
      member->overrun();
    } else {
      member->deliver(datagram, charge, true);
    }
  }
}

// As wireless_send_event() does: the message has the name, and nothing else that the decoder reads.
void Kernel::send_partial(const Link& link) {
  auto datagram = std::make_shared<Datagram>();
  Writer writer(datagram->bytes);
  writer.put(nlmsghdr{0, RTM_NEWLINK, 0, 0, 0});
  ifinfomsg header{};
  header.ifi_type = 1;
  header.ifi_index = link.ifindex;
  header.ifi_flags = link.flags();
  writer.put(header);
  writer.text(IFLA_IFNAME, link.name);
  writer.integer(IFLA_WIRELESS, std::uint64_t{0});
  writer.end_message();
  multicast(datagram, style_.charge);
}

void Kernel::leave(NetlinkSocket& socket) {
  members_.erase(std::remove(members_.begin(), members_.end(), &socket), members_.end());
}

}  // namespace sim
