// SPDX-License-Identifier: Apache-2.0
// Carries out the same random list of operations on the real kernel, in its own network namespace, and on the simulated
// one. Compares their messages: after every operation those of each link, field by field as netlink/decode reads them,
// and at the end the listing. Needs root. Exit status: 0 equal, 1 different, 77 cannot run here.
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <vector>

#include "netlink/decode.hpp"
#include "sim/kernel.hpp"
#include "sim/random.hpp"

namespace {

using portsync::LinkState;
using portsync::netlink::Decoded;

// The messages about links, in order. Messages of other families are kept with their type alone.
struct Said {
  Decoded what;
  bool bridge = false;  // AF_BRIDGE
  LinkState link;
};
using Story = std::vector<Said>;

void add_messages(Story& story, std::byte* data, std::size_t size) {
  (void)portsync::netlink::each_message({data, size}, [&story](const nlmsghdr& message) {
    Said said;
    said.what = portsync::netlink::decode(message, said.link);
    if (message.nlmsg_type != RTM_NEWLINK && message.nlmsg_type != RTM_DELLINK) return;
    const auto& header = *static_cast<const ifinfomsg*>(nlmsg_data(&message));
    said.bridge = header.ifi_family == AF_BRIDGE;
    if (said.bridge && message.nlmsg_type == RTM_NEWLINK) return;
    said.link.ifindex = header.ifi_index;
    story.push_back(std::move(said));
  });
}

// ---- the real kernel

class RealKernel {
 public:
  RealKernel() {
    if (::unshare(CLONE_NEWNET) < 0) throw std::runtime_error("no network namespace");
    requests_ = open(0);
    events_ = open(RTMGRP_LINK);
  }
  ~RealKernel() {
    ::close(requests_);
    ::close(events_);
  }
  RealKernel(const RealKernel&) = delete;
  RealKernel& operator=(const RealKernel&) = delete;

  // Uses `ip`, so that no code of ours is in between.
  void ip(const std::string& arguments) {
    const std::string command = "ip " + arguments + " >/dev/null 2>&1";
    if (std::system(command.c_str()) != 0) std::cerr << "refused: ip " << arguments << '\n';
  }

  // Returns the messages until none has come for `quiet` milliseconds, which is how slow the link watch is.
  Story events(int quiet) { return read(events_, quiet); }

  Story listing() {
    struct {
      nlmsghdr header{};
      ifinfomsg link{};
    } request;
    request.header = {sizeof request, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0};
    if (::send(requests_, &request, sizeof request, 0) < 0) throw std::runtime_error("no listing");
    return read(requests_, 100);
  }

 private:
  static int open(unsigned groups) {
    const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = groups;
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
      throw std::runtime_error("no netlink socket");
    }
    return fd;
  }

  static Story read(int fd, int quiet) {
    Story story;
    alignas(nlmsghdr) std::array<std::byte, 65536> buffer;
    pollfd wait{fd, POLLIN, 0};
    while (::poll(&wait, 1, quiet) > 0) {
      const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (size < 0) throw std::runtime_error("cannot read netlink");
      add_messages(story, buffer.data(), static_cast<std::size_t>(size));
    }
    return story;
  }

  int requests_ = -1;
  int events_ = -1;
};

// ---- the simulated one

class SimulatedKernel {
 public:
  explicit SimulatedKernel(std::uint64_t seed) : world_(seed), kernel_(world_, sim::KernelStyle{}) {
    events_.join(RTNLGRP_LINK);
    requests_.bind();
  }
  sim::Kernel& kernel() { return kernel_; }

  Story events() {
    while (world_.advance(world_.now() + 2 * sim::second)) {
    }
    return read(events_);
  }

  Story listing() {
    struct {
      nlmsghdr header{};
      ifinfomsg link{};
    } request;
    request.header = {sizeof request, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0};
    requests_.send(reinterpret_cast<const std::byte*>(&request), sizeof request);
    return read(requests_);
  }

 private:
  static Story read(sim::NetlinkSocket& socket) {
    Story story;
    alignas(nlmsghdr) std::array<std::byte, 65536> buffer;
    for (;;) {
      const auto received = socket.receive(buffer.data(), buffer.size(), false);
      if (received.size < 0) return story;
      add_messages(story, buffer.data(), static_cast<std::size_t>(received.size));
    }
  }

  sim::World world_;
  sim::Kernel kernel_;
  sim::NetlinkSocket events_{kernel_};
  sim::NetlinkSocket requests_{kernel_};
};

// ---- the comparison

std::string text(const Said& said, const std::map<std::int32_t, std::string>& names) {
  const auto name = [&names](std::int32_t ifindex) {
    const auto found = names.find(ifindex);
    return ifindex == 0 ? std::string("-") : found == names.end() ? "?" : found->second;
  };
  const LinkState& link = said.link;
  if (said.bridge) return "left its bridge: " + name(link.ifindex);
  if (said.what == Decoded::removed) return "removed: " + name(link.ifindex);
  if (said.what == Decoded::malformed) return "malformed";
  const auto number = [](const auto& value) { return value ? std::to_string(*value) : std::string("unsaid"); };
  std::string names_of;
  for (const std::string& alternative : link.alternative_names) names_of += alternative + ",";
  constexpr std::uint32_t compared = 0x1 | 0x2 | 0x8 | 0x40 | 0x1000 | 0x10000;  // UP BROADCAST LOOPBACK RUNNING MULTICAST LOWER_UP
  return name(link.ifindex) + " named " + link.name + " flags " + std::to_string(link.flags & compared) + " oper " +
         to_string(link.operstate) + " mtu " + number(link.mtu) + " changes " + number(link.carrier_changes) + " up " +
         number(link.carrier_up_count) + " down " + number(link.carrier_down_count) + " address " +
         to_string(link.address) + " master " + name(link.master) + " parent " + name(link.parent) + " kind " +
         link.kind + " slave " + link.slave_kind + " names " + names_of;
}

// Returns the messages of each link by itself, because the link watch decides the order between links. Drops
// repetitions, because the kernel repeats messages for features, and how often depends on its version.
std::map<std::string, std::vector<std::string>> by_link(const Story& story, std::map<std::int32_t, std::string>& names,
                                                        const std::string& ignored_kind) {
  std::map<std::string, std::vector<std::string>> result;
  for (const Said& said : story) {
    if (said.what == Decoded::changed && names.count(said.link.ifindex) == 0) names[said.link.ifindex] = said.link.name;
    if (said.what == Decoded::changed && said.link.kind == ignored_kind) continue;
    if (said.what == Decoded::changed && said.link.name == "lo") continue;
    const std::string line = text(said, names);
    auto& lines = result[names[said.link.ifindex]];
    if (lines.empty() || lines.back() != line) lines.push_back(line);
  }
  for (const Said& said : story) {
    if (said.what == Decoded::removed) names.erase(said.link.ifindex);
  }
  return result;
}

class Oracle {
 public:
  explicit Oracle(std::uint64_t seed) : random_(seed), simulated_(seed) {}

  int play(int operations) {
    // A bridge's own messages are not compared, because it is no port: its address and mtu follow its members'.
    do_ip("link add br0 type bridge", [](sim::Kernel& k) { k.add({.name = "br0", .kind = "bridge"}); });
    do_ip("link set br0 up", [](sim::Kernel& k) { k.set_admin(k.find("br0")->ifindex, true); });
    for (int i = 0; i < operations && differences_ == 0; ++i) one();
    compare("the listing", real_.listing(), simulated_.listing());
    return differences_;
  }

 private:
  template <typename F>
  void do_ip(const std::string& arguments, F&& simulated) {
    real_.ip(arguments);
    simulated(simulated_.kernel());
    compare(arguments, real_.events(arguments.find(" up") != std::string::npos ||
                                            arguments.find(" down") != std::string::npos ||
                                            arguments.find(" del") != std::string::npos
                                        ? 250 : 60),
            simulated_.events());
    ++done_;
  }

  void compare(const std::string& what, const Story& real, const Story& simulated) {
    const auto of_real = by_link(real, real_names_, "bridge");
    const auto of_simulated = by_link(simulated, simulated_names_, "bridge");
    if (of_real == of_simulated) return;
    ++differences_;
    std::cerr << "operation " << done_ << ": " << what << '\n';
    for (const auto* side : {&of_real, &of_simulated}) {
      std::cerr << (side == &of_real ? "the real kernel:\n" : "the simulated one:\n");
      for (const auto& [link, lines] : *side) {
        for (const std::string& line : lines) std::cerr << "  " << line << '\n';
      }
    }
  }

  void one();
  void add_link(const std::string& name);

  sim::Random random_;
  RealKernel real_;
  SimulatedKernel simulated_;
  std::map<std::int32_t, std::string> real_names_;
  std::map<std::int32_t, std::string> simulated_names_;
  int differences_ = 0;
  int done_ = 0;
};

void Oracle::add_link(const std::string& name) {
  const std::string peer = name + "p";
  const auto digit = static_cast<std::uint8_t>(random_.below(200));
  char address[18];
  std::snprintf(address, sizeof address, "02:00:00:00:01:%02x", digit);
  char peer_address[18];
  std::snprintf(peer_address, sizeof peer_address, "02:00:00:00:02:%02x", digit);
  do_ip("link add " + name + " address " + address + " type veth peer name " + peer + " address " + peer_address,
        [&](sim::Kernel& k) {
          sim::Kernel::NewLink link{.name = name};
          link.peer_netns = 0;
          link.peer_name = peer;
          link.address = {2, 0, 0, 0, 1, digit};
          link.peer_address = {2, 0, 0, 0, 2, digit};
          k.add(link);
        });
}

void Oracle::one() {
  const std::string name = "v" + std::to_string(random_.below(3));
  const sim::Link* link = simulated_.kernel().find(name);
  if (link == nullptr) return add_link(name);
  const std::int32_t ifindex = link->ifindex;
  const sim::Link* peer = simulated_.kernel().find(link->peer);
  switch (random_.below(9)) {
    case 0:
      return do_ip("link del " + name, [&](sim::Kernel& k) { k.remove(ifindex); });
    case 1:
    case 2:
      return do_ip("link set " + name + (link->admin_up ? " down" : " up"),
                   [&, up = !link->admin_up](sim::Kernel& k) { k.set_admin(ifindex, up); });
    case 3:
    case 4:
      return do_ip("link set " + peer->name + (peer->admin_up ? " down" : " up"),
                   [&, up = !peer->admin_up, index = peer->ifindex](sim::Kernel& k) { k.set_admin(index, up); });
    case 5: {
      const auto mtu = static_cast<std::uint32_t>(1300 + random_.below(200));
      return do_ip("link set " + name + " mtu " + std::to_string(mtu), [&](sim::Kernel& k) { k.set_mtu(ifindex, mtu); });
    }
    case 6:
      return do_ip("link set " + name + (link->master == 0 ? " master br0" : " nomaster"),
                   [&, free = link->master == 0](sim::Kernel& k) {
                     k.set_master(ifindex, free ? k.find("br0")->ifindex : 0);
                   });
    case 7: {
      const std::string alternative = "alt" + std::to_string(random_.below(2)) + name;
      const auto& names = link->alternative_names;
      const bool has = std::find(names.begin(), names.end(), alternative) != names.end();
      return do_ip(std::string("link property ") + (has ? "del" : "add") + " dev " + name + " altname " + alternative,
                   [&](sim::Kernel& k) { has ? k.remove_name(ifindex, alternative) : k.add_name(ifindex, alternative); });
    }
    default: {
      // Only while it is down, because kernels before 6.6 refuse it otherwise.
      const std::string other = "v" + std::to_string(random_.below(3));
      if (link->admin_up || simulated_.kernel().find(other) != nullptr) return;
      return do_ip("link set " + name + " name " + other, [&](sim::Kernel& k) { k.rename(ifindex, other); });
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  const int operations = argc > 2 ? std::atoi(argv[2]) : 60;
  try {
    Oracle oracle(seed);
    const int differences = oracle.play(operations);
    std::cout << (differences == 0 ? "equal" : "different") << ", seed " << seed << '\n';
    return differences == 0 ? 0 : 1;
  } catch (const std::runtime_error& error) {
    std::cerr << error.what() << '\n';
    return 77;
  }
}
