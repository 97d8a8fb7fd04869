// SPDX-License-Identifier: Apache-2.0
#pragma once

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

// A netlink datagram. Multicast ones are shared by the sockets that they wait in.
struct Datagram {
  std::vector<std::byte> bytes;
  std::uint32_t sender = 0;  // port; 0 = the kernel
};

// A network device.
struct Link {
  std::int32_t ifindex = 0;
  int netns = 0;  // 0 = that of the process
  std::string name;
  std::string kind;        // IFLA_INFO_KIND; "" = hardware
  std::int32_t peer = 0;   // of a veth
  std::int32_t lower = 0;  // what a macvlan stands on
  std::int32_t master = 0;
  bool admin_up = false;
  bool carrier = true;  // as netif_carrier_ok() has it
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

// What kernels differ in.
struct KernelStyle {
  bool carrier_changes = true;
  bool carrier_counts = true;      // since 4.16
  std::uint32_t padding = 0;       // bytes of attributes that nobody reads
  std::uint32_t part_bytes = 32768;  // of a listing; less when memory is short
  std::uint32_t charge = 2304;     // of a notification to the receive buffer
  bool may_force_buffer = true;    // CAP_NET_ADMIN
  std::uint32_t buffer_limit = 212'992;  // net.core.rmem_max
};

// How it misbehaves; each is a number of a million where nothing else is said.
struct KernelFaults {
  std::uint32_t drop = 0;       // a notification is lost for want of memory: ENOBUFS
  std::uint32_t foreign = 0;    // another process sends us something before a notification
  std::uint32_t partial = 0;    // a message about wireless extensions comes after a notification
  std::uint32_t late_reply = 0; // a part of a listing is handed over up to 3 ms after it was written
  std::uint32_t refused = 0;    // a listing ends with an error
  std::uint32_t racing = 0;     // a notification comes a second time (changes that nobody reads)
};

// The kernel's network devices and its rtnetlink(7), as far as this project uses it: what is sent for which change, in
// which order, and what a listing gives. kernel_oracle_test plays the same operations on the real one and compares.
class Kernel {
 public:
  Kernel(World& world, KernelStyle style) : world_(world), style_(style) {}

  // Told of each change of a link that the process can see, before notifications are sent; `gone` for a removal.
  using Observer = std::function<void(const Link& link, bool gone)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

  // ---- operations, as an administrator's or another daemon's. Of a link that is not there: false, and nothing is done.
  struct NewLink {
    std::string name;
    std::string kind = "veth";
    int peer_netns = 1;         // veth: where its peer is
    std::string peer_name = {};  // "" = any
    std::int32_t lower = 0;     // macvlan
    std::int32_t ifindex = 0;   // wanted; 0 = the next
    std::optional<std::array<std::uint8_t, 6>> address = {};
    std::optional<std::array<std::uint8_t, 6>> peer_address = {};
  };
  // Its ifindex; 0: the name or the number is taken.
  std::int32_t add(const NewLink& wanted);
  bool remove(std::int32_t ifindex);
  bool set_admin(std::int32_t ifindex, bool up);
  bool set_mtu(std::int32_t ifindex, std::uint32_t mtu);
  bool set_address(std::int32_t ifindex, const std::array<std::uint8_t, 6>& address);
  bool rename(std::int32_t ifindex, const std::string& name);
  bool set_master(std::int32_t ifindex, std::int32_t master);
  bool add_name(std::int32_t ifindex, const std::string& name);
  bool remove_name(std::int32_t ifindex, const std::string& name);
  // Of a link that has no peer: what its driver says.
  bool set_carrier(std::int32_t ifindex, bool on);
  // Nobody's: the driver of a port is replaced by another one under the same number, without a word.
  bool set_kind(std::int32_t ifindex, const std::string& kind);

  [[nodiscard]] const Link* find(std::int32_t ifindex) const;
  [[nodiscard]] const Link* find(const std::string& name) const;
  [[nodiscard]] const std::map<std::int32_t, Link>& links() const noexcept { return links_; }

  // The RTNL lock is held by somebody else until then.
  void hold_lock(Time until) { lock_free_at_ = std::max(lock_free_at_, until); }
  [[nodiscard]] Time lock_free_at() const noexcept { return lock_free_at_; }
  // No listing ends without an interruption until then: links of no interest come and go.
  void churn_until(Time until) { churn_until_ = std::max(churn_until_, until); }
  [[nodiscard]] std::uint32_t sequence() noexcept;
  // Nothing arrives, and nothing is answered, until then.
  void deaf_until(Time until) { deaf_until_ = std::max(deaf_until_, until); }
  [[nodiscard]] bool deaf() const noexcept { return world_.now() < deaf_until_; }

  KernelFaults faults;
  [[nodiscard]] KernelStyle& style() noexcept { return style_; }
  [[nodiscard]] World& world() noexcept { return world_; }

  // ---- for sockets
  [[nodiscard]] std::uint32_t next_port() noexcept { return next_port_++; }
  void join(NetlinkSocket& socket) { members_.push_back(&socket); }
  void leave(NetlinkSocket& socket);
  // One message that describes the link as it is.
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
  std::map<std::string, std::int32_t> names_;  // of the process' namespace
  std::vector<NetlinkSocket*> members_;
  std::vector<std::int32_t> watched_;
  bool watch_due_ = false;
  std::int32_t next_ifindex_ = 2;
  std::uint32_t sequence_ = 1;  // of comings and goings
  std::uint32_t next_port_ = 1'000'000;
  Time lock_free_at_ = 0;
  Time churn_until_ = 0;
  Time deaf_until_ = 0;
};

// AF_NETLINK, NETLINK_ROUTE: a queue of datagrams, a receive buffer in bytes, and at most one listing under way.
class NetlinkSocket final : public File {
 public:
  explicit NetlinkSocket(Kernel& kernel) : kernel_(kernel) {}
  ~NetlinkSocket() override;

  [[nodiscard]] std::uint32_t ready() const override;
  // -errno each.
  int bind();
  int join(std::uint32_t group);
  int set_option(int level, int name, int value);
  int get_option(int level, int name, void* value, std::uint32_t& size) const;
  ssize_t send(const std::byte* data, std::size_t size);
  struct Received {
    ssize_t size = 0;  // -errno, or the size of what was copied
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
    std::int32_t next = 1;      // ifindex
    std::uint32_t seen = 0;     // the kernel's sequence at the part before
    bool writing = false;       // a part is on its way
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
