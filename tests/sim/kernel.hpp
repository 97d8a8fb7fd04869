// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/world.hpp"

namespace sim {

class NetlinkSocket;

// A netlink datagram. The sockets that queue a multicast one share it.
struct Datagram {
  std::vector<std::byte> bytes;
  std::uint32_t sender = 0;  // port; 0 = the kernel
};

// A network device.
struct Link {
  std::int32_t ifindex = 0;
  int netns = 0;  // 0 = the process' namespace
  std::string name;
  std::string kind;        // IFLA_INFO_KIND; "" = hardware
  std::int32_t peer = 0;   // of a veth
  std::int32_t lower = 0;  // the link below a macvlan
  std::int32_t master = 0;
  bool admin_up = false;
  bool carrier = true;  // as netif_carrier_ok() returns it
  std::uint8_t operstate = 2;
  std::uint32_t mtu = 1500;
  std::array<std::uint8_t, 6> address{};
  std::uint32_t carrier_up_count = 0;
  std::uint32_t carrier_down_count = 0;
  std::string phys_port_name;
  std::vector<std::string> alternative_names;
  bool watched = false;  // waits for the link watch

  [[nodiscard]] std::uint32_t flags() const noexcept;
};

// Differences between kernels.
struct KernelStyle {
  bool carrier_changes = true;
  bool carrier_counts = true;      // since 4.16
  std::uint32_t padding = 0;       // bytes of attributes that the decoder does not read
  std::uint32_t part_bytes = 32768;  // the longest part of a listing; less when memory is short
  std::uint32_t charge = 2304;     // what a notification takes of the receive buffer
  bool may_force_buffer = true;    // CAP_NET_ADMIN
  std::uint32_t buffer_limit = 212'992;  // net.core.rmem_max
};

// Faults of the kernel. Each number is a rate in a million, unless it says otherwise.
struct KernelFaults {
  std::uint32_t drop = 0;       // a notification is lost because memory is short: ENOBUFS
  std::uint32_t foreign = 0;    // another process sends a message to the socket before a notification
  std::uint32_t partial = 0;    // a message about wireless extensions comes after a notification
  std::uint32_t late_reply = 0; // a part of a listing is delivered up to 3 ms after it was written
  std::uint32_t refused = 0;    // a listing ends with an error
  std::uint32_t racing = 0;     // a notification comes twice (of changes that the decoder does not read)
};

// The kernel's network devices and its rtnetlink(7), as far as this project uses it: which messages it sends for which
// change, in which order, and what a listing contains. kernel_oracle_test carries out the same operations on the real
// kernel and compares.
class Kernel {
 public:
  Kernel(World& world, KernelStyle style) : world_(world), style_(style) {}

  // Called for each change of a link that the process can see, before notifications are sent; `gone` for a removal.
  using Observer = std::function<void(const Link& link, bool gone)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

  // ---- operations of an administrator or another daemon. They return false, and do nothing, if the link does not
  // exist.
  struct NewLink {
    std::string name;
    std::string kind = "veth";
    int peer_netns = 1;         // veth: the namespace of its peer
    std::string peer_name = {};  // "" = any
    std::int32_t lower = 0;     // macvlan
    std::int32_t ifindex = 0;   // the wanted one; 0 = the next
    std::optional<std::array<std::uint8_t, 6>> address = {};
    std::optional<std::array<std::uint8_t, 6>> peer_address = {};
  };
  // Returns the ifindex; 0 if the name or the ifindex is in use.
  std::int32_t add(const NewLink& wanted);
  bool remove(std::int32_t ifindex);
  bool set_admin(std::int32_t ifindex, bool up);
  bool set_mtu(std::int32_t ifindex, std::uint32_t mtu);
  bool set_address(std::int32_t ifindex, const std::array<std::uint8_t, 6>& address);
  bool rename(std::int32_t ifindex, const std::string& name);
  bool set_master(std::int32_t ifindex, std::int32_t master);
  bool add_name(std::int32_t ifindex, const std::string& name);
  bool remove_name(std::int32_t ifindex, const std::string& name);
  // For a link without a peer: sets the carrier as its driver does.
  bool set_carrier(std::int32_t ifindex, bool on);
  // Replaces the driver of a port under the same ifindex, without a notification.
  bool set_kind(std::int32_t ifindex, const std::string& kind);

  [[nodiscard]] const Link* find(std::int32_t ifindex) const;
  [[nodiscard]] const Link* find(const std::string& name) const;
  [[nodiscard]] const std::map<std::int32_t, Link>& links() const noexcept { return links_; }

  // Another process holds the RTNL lock until then.
  void hold_lock(Time until) { lock_free_at_ = std::max(lock_free_at_, until); }
  [[nodiscard]] Time lock_free_at() const noexcept { return lock_free_at_; }
  // Until then, links of no interest come and go, so that every listing is interrupted.
  void churn_until(Time until) { churn_until_ = std::max(churn_until_, until); }
  [[nodiscard]] std::uint32_t sequence() noexcept;
  // Until then, no message arrives and no request gets a reply.
  void deaf_until(Time until) { deaf_until_ = std::max(deaf_until_, until); }
  [[nodiscard]] bool deaf() const noexcept { return world_.now() < deaf_until_; }
  // Returns when the latest deafness ends, or ended; 0 = there was none.
  [[nodiscard]] Time deaf_end() const noexcept { return deaf_until_; }

  KernelFaults faults;
  [[nodiscard]] KernelStyle& style() noexcept { return style_; }
  [[nodiscard]] World& world() noexcept { return world_; }

  // ---- for sockets
  [[nodiscard]] std::uint32_t next_port() noexcept { return next_port_++; }
  void join(NetlinkSocket& socket) { members_.push_back(&socket); }
  void leave(NetlinkSocket& socket);
  // Appends one message that describes the present link.
  void describe(std::vector<std::byte>& out, const Link& link, std::uint16_t type, std::uint16_t flags,
                std::uint32_t sequence, std::uint32_t port, std::uint8_t family = 0) const;

 private:
  Link* find_link(std::int32_t ifindex);
  void notify(const Link& link, std::uint16_t type, std::uint8_t family = 0);
  void multicast(const std::shared_ptr<const Datagram>& datagram, std::uint32_t charge);
  void changed(const Link& link);
  void set_carrier_of(Link& link, bool on);
  void watch(Link& link);
  void run_link_watch();
  void update_operstate(Link& link) const;
  void detach(Link& link);
  void send_partial(const Link& link);
  void unlist(Link& link);

  World& world_;
  KernelStyle style_;
  Observer observer_;
  std::map<std::int32_t, Link> links_;
  std::map<std::string, std::int32_t> names_;  // in the process' namespace
  std::vector<NetlinkSocket*> members_;
  std::vector<std::int32_t> watched_;
  bool watch_due_ = false;
  std::int32_t next_ifindex_ = 2;
  std::uint32_t sequence_ = 1;  // of the changes in the set of links
  std::uint32_t next_port_ = 1'000'000;
  Time lock_free_at_ = 0;
  Time churn_until_ = 0;
  Time deaf_until_ = 0;
};

// AF_NETLINK, NETLINK_ROUTE: a queue of datagrams, a receive buffer in bytes, and at most one listing at a time.
class NetlinkSocket final : public File {
 public:
  explicit NetlinkSocket(Kernel& kernel) : kernel_(kernel) {}
  ~NetlinkSocket() override;

  [[nodiscard]] std::uint32_t ready() const override;
  // Each returns -errno on failure.
  int bind();
  int join(std::uint32_t group);
  int set_option(int level, int name, int value);
  int get_option(int level, int name, void* value, std::uint32_t& size) const;
  ssize_t send(const std::byte* data, std::size_t size);
  struct Received {
    ssize_t size = 0;  // -errno, or the number of bytes copied
    std::size_t full_size = 0;
    std::uint32_t sender = 0;
  };
  Received receive(std::byte* data, std::size_t size, bool blocking);

  bool non_blocking = false;  // O_NONBLOCK

  void deliver(const std::shared_ptr<const Datagram>& datagram, std::uint32_t charge, bool notification);
  void overrun();
  [[nodiscard]] std::uint32_t port() const noexcept { return port_; }

 private:
  struct Waiting {
    std::shared_ptr<const Datagram> datagram;
    std::uint32_t charge;
  };
  struct Listing {
    std::uint32_t sequence;     // of the request
    std::int32_t next = 1;      // the next ifindex
    std::uint32_t seen = 0;     // the kernel's sequence at the previous part
    bool writing = false;       // a part is being written
    bool done = false;
  };
  void write_part();
  void acknowledge(const std::byte* request, int error);
  void answer_one_link(const std::byte* request);
  void set_link(const std::byte* request, std::size_t size);
  void queue(std::vector<std::byte> bytes);

  Kernel& kernel_;
  std::uint32_t port_ = 0;
  bool joined_ = false;
  std::vector<Waiting> queue_;
  std::size_t head_ = 0;  // of queue_
  std::size_t allocated_ = 0;
  std::size_t buffer_ = 212'992;
  bool congested_ = false;
  int error_ = 0;
  std::uint32_t drops_ = 0;
  std::size_t longest_read_ = 0;
  std::optional<Listing> listing_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim
