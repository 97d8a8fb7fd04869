// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>

#include <cstdint>
#include <map>
#include <memory>
#include <ostream>
#include <portsync/link_state.hpp>
#include <stdexcept>
#include <string>

namespace portsync::test {

// The facts that both libnl's own link objects and LinkState contain. An oracle that shares no code with the library's
// decoder.
struct LinkFacts {
  std::string name;
  std::uint32_t flags = 0;
  int operstate = 0;
  std::uint32_t mtu = 0;
  std::uint32_t carrier_changes = 0;
  std::int32_t master = 0;
  std::int32_t parent = 0;
  std::string address;
  std::string kind;

  friend bool operator==(const LinkFacts&, const LinkFacts&) = default;
  friend std::ostream& operator<<(std::ostream& out, const LinkFacts& facts) {
    return out << facts.name << " flags=" << facts.flags << " operstate=" << facts.operstate << " mtu=" << facts.mtu
               << " carrier_changes=" << facts.carrier_changes << " master=" << facts.master
               << " parent=" << facts.parent << " address=" << facts.address << " kind=" << facts.kind;
  }
};

inline LinkFacts facts_of(const LinkState& link) {
  return {link.name,
          link.flags,
          static_cast<int>(link.operstate),
          link.mtu.value_or(0),
          link.carrier_changes.value_or(0),
          link.master,
          link.parent,
          to_string(link.address),
          link.kind};
}

// Changes and lists the links of the network namespace in which it was constructed. When a function returns, its change
// is done and the notifications are queued. Throws if the kernel refuses.
class Rtnl {
 public:
  Rtnl() : socket_(nl_socket_alloc()) {
    check(nl_connect(socket_.get(), NETLINK_ROUTE), "nl_connect");
    nl_socket_set_buffer_size(socket_.get(), 1 << 20, 0);
  }

  // Adds a veth pair. The indexes must differ, because with equal ones the kernel delays the notification of a lost
  // carrier (up to 1 s).
  void add_veth(const std::string& name, std::int32_t index, const std::string& peer, std::int32_t peer_index) {
    Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, index);
    request.text(IFLA_IFNAME, name);
    nlattr* info = request.begin(IFLA_LINKINFO);
    request.text(IFLA_INFO_KIND, "veth");
    nlattr* data = request.begin(IFLA_INFO_DATA);
    nlattr* peer_info = request.begin(VETH_INFO_PEER);
    ifinfomsg header{};
    header.ifi_index = peer_index;
    request.append(header);
    request.text(IFLA_IFNAME, peer);
    request.end(peer_info);
    request.end(data);
    request.end(info);
    send(request);
  }

  void add_bridge(const std::string& name, std::int32_t index) {
    Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, index);
    request.text(IFLA_IFNAME, name);
    nlattr* info = request.begin(IFLA_LINKINFO);
    request.text(IFLA_INFO_KIND, "bridge");
    request.end(info);
    send(request);
  }

  void remove(std::int32_t index) {
    Request request(RTM_DELLINK, 0, index);
    send(request);
  }

  void set_up(std::int32_t index, bool up) {
    Request request(RTM_NEWLINK, 0, index, IFF_UP, up ? 1U * IFF_UP : 0U);
    send(request);
  }

  void set_mtu(std::int32_t index, std::uint32_t mtu) { set(index, IFLA_MTU, mtu); }
  void set_master(std::int32_t index, std::int32_t master) {
    set(index, IFLA_MASTER, static_cast<std::uint32_t>(master));
  }
  void move_to(std::int32_t index, int netns_fd) { set(index, IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns_fd)); }

  // Renames a link, which must be down.
  void rename(std::int32_t index, const std::string& name) {
    Request request(RTM_NEWLINK, 0, index);
    request.text(IFLA_IFNAME, name);
    send(request);
  }

  void add_alternative_name(std::int32_t index, const std::string& name) {
    alternative_name(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_APPEND | NLM_F_EXCL, index, name);
  }
  void remove_alternative_name(std::int32_t index, const std::string& name) {
    alternative_name(RTM_DELLINKPROP, 0, index, name);
  }

  [[nodiscard]] std::map<std::int32_t, LinkFacts> list() const {
    nl_cache* cache = nullptr;
    check(rtnl_link_alloc_cache(socket_.get(), AF_UNSPEC, &cache), "rtnl_link_alloc_cache");
    std::map<std::int32_t, LinkFacts> links;
    for (nl_object* object = nl_cache_get_first(cache); object != nullptr; object = nl_cache_get_next(object)) {
      auto* link = reinterpret_cast<rtnl_link*>(object);
      links[rtnl_link_get_ifindex(link)] = facts_of(link);
    }
    nl_cache_free(cache);
    return links;
  }

 private:
  class Request {
   public:
    Request(int type, int flags, std::int32_t index, unsigned change = 0, unsigned value = 0)
        : message_(nlmsg_alloc_size(64 * 1024)) {
      nlmsg_put(message_, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags);
      ifinfomsg header{};
      header.ifi_index = index;
      header.ifi_change = change;
      header.ifi_flags = value;
      append(header);
    }
    void append(const ifinfomsg& header) {
      auto copy = header;
      check(nlmsg_append(message_, &copy, sizeof copy, NLMSG_ALIGNTO), "nlmsg_append");
    }
    void text(int type, const std::string& value) { check(nla_put_string(message_, type, value.c_str()), "nla_put"); }
    void number(int type, std::uint32_t value) { check(nla_put_u32(message_, type, value), "nla_put"); }
    nlattr* begin(int type) { return nla_nest_start(message_, type); }
    void end(nlattr* nest) { nla_nest_end(message_, nest); }
    nl_msg* message_;  // consumed by send()
  };

  struct CloseSocket {
    void operator()(nl_sock* socket) const noexcept { nl_socket_free(socket); }
  };

  static void check(int code, const char* what) {
    if (code < 0) throw std::runtime_error(std::string(what) + ": " + nl_geterror(code));
  }

  void set(std::int32_t index, int type, std::uint32_t value) {
    Request request(RTM_NEWLINK, 0, index);
    request.number(type, value);
    send(request);
  }

  void alternative_name(int type, int flags, std::int32_t index, const std::string& name) {
    Request request(type, flags, index);
    nlattr* list = request.begin(IFLA_PROP_LIST);
    request.text(IFLA_ALT_IFNAME, name);
    request.end(list);
    send(request);
  }

  void send(Request& request) { check(nl_send_sync(socket_.get(), request.message_), "rtnetlink"); }

  static LinkFacts facts_of(rtnl_link* link) {
    LinkFacts facts;
    facts.name = rtnl_link_get_name(link);
    facts.flags = rtnl_link_get_flags(link);
    facts.operstate = rtnl_link_get_operstate(link);
    facts.mtu = rtnl_link_get_mtu(link);
    rtnl_link_get_carrier_changes(link, &facts.carrier_changes);
    facts.master = rtnl_link_get_master(link);
    facts.parent = rtnl_link_get_link(link);
    char text[128];
    nl_addr* address = rtnl_link_get_addr(link);
    facts.address = address != nullptr ? nl_addr2str(address, text, sizeof text) : "";
    const char* kind = rtnl_link_get_type(link);
    facts.kind = kind != nullptr ? kind : "";
    return facts;
  }

  std::unique_ptr<nl_sock, CloseSocket> socket_;
};

}  // namespace portsync::test
