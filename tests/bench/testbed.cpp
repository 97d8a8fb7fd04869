// SPDX-License-Identifier: Apache-2.0
#include "testbed.hpp"

#include <linux/if.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace portsync::bench {
namespace {

using namespace std::chrono_literals;

// The indexes differ at the two ends of a pair, because with equal ones the kernel delays the notification of a lost
// carrier.
constexpr std::int32_t first_ifindex = 100;
constexpr std::int32_t first_far_ifindex = 20'000;

constexpr std::uint32_t lowest_mtu = 1500;
constexpr std::uint32_t highest_mtu = 61'500;

// Without IPv6, which would send packets on links by itself.
test::Netns enter_quiet_namespace() {
  auto made = test::Netns::enter_new();
  for (const char* which : {"all", "default"}) {
    std::ofstream("/proc/sys/net/ipv6/conf/" + std::string(which) + "/disable_ipv6") << 1;
  }
  return made;
}

}  // namespace

// The order of the members matters: each LinkChanger belongs to the namespace that was entered immediately before it.
Testbed::Testbed()
    : far_(enter_quiet_namespace()),
      switch_(enter_quiet_namespace()),
      redis_server_({"--notify-keyspace-events", "AKE"}),
      redis_(redis_server_.socket_path(), state_db) {}

std::int32_t Testbed::ifindex(std::size_t port) const {
  return first_ifindex + static_cast<std::int32_t>(port);
}

void Testbed::grow(std::size_t ports) {
  const std::size_t before = rows_.size();
  for (std::size_t i = before; i < ports; ++i) {
    const auto far_index = first_far_ifindex + static_cast<std::int32_t>(i);
    rows_.push_back({"Ethernet" + std::to_string(i * 4), std::to_string(lowest_mtu), true, true});
    mtus_.push_back(lowest_mtu);
    carriers_.push_back(true);
    links_.add_veth(rows_.back().port, ifindex(i), "far" + std::to_string(i * 4), far_index, far_.fd());
  }
  links_.flush();
  for (std::size_t i = before; i < ports; ++i) links_.set_up(ifindex(i), true);
  links_.flush();
  for (std::size_t i = before; i < ports; ++i) {
    far_links_.set_up(first_far_ifindex + static_cast<std::int32_t>(i), true);
  }
  far_links_.flush();
  wait_carriers();
}

// The kernel notices a carrier a little later.
void Testbed::wait_carriers() const {
  for (const auto end = std::chrono::steady_clock::now() + 30s; std::chrono::steady_clock::now() < end;) {
    std::size_t running = 0;
    dump_links([&](const Link& link) {
      const bool is_port = std::strncmp(link.name, "Ethernet", 8) == 0;
      running += is_port && (link.flags & IFF_RUNNING) != 0 ? 1U : 0U;
    });
    if (running == rows_.size()) return;
    std::this_thread::sleep_for(10ms);
  }
  throw std::runtime_error("ports without carrier");
}

void Testbed::next_mtu(std::size_t port) {
  std::uint32_t& mtu = mtus_[port];
  mtu = mtu == highest_mtu ? lowest_mtu : mtu + 1;
  links_.set_mtu(ifindex(port), mtu);
}

void Testbed::change_mtu(std::size_t port) {
  next_mtu(port);
  links_.flush();
  rows_[port].mtu = std::to_string(mtus_[port]);
}

void Testbed::toggle_admin(std::size_t port) {
  Row& row = rows_[port];
  row.admin_up = !row.admin_up;
  row.oper_up = row.admin_up && carriers_[port];
  links_.set_up(ifindex(port), row.admin_up);
  links_.flush();
}

void Testbed::toggle_carrier(std::size_t port) {
  Row& row = rows_[port];
  carriers_[port] = !carriers_[port];
  row.oper_up = row.admin_up && carriers_[port];
  far_links_.set_up(first_far_ifindex + static_cast<std::int32_t>(port), carriers_[port]);
  far_links_.flush();
}

void Testbed::restore() {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (!carriers_[i]) toggle_carrier(i);
    if (!rows_[i].admin_up) toggle_admin(i);
  }
  wait_carriers();
}

void Testbed::restart_redis() {
  redis_server_.kill();
  redis_server_.start();
  Redis::forget_commands();
  redis_ = Redis(redis_server_.socket_path(), state_db);
}

bool Testbed::wait_quiet() {
  constexpr auto held_up = 20ms;
  constexpr int in_a_row = 200;
  int good = 0;
  for (const auto end = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < end;) {
    const auto start = std::chrono::steady_clock::now();
    change_mtu(0);
    good = std::chrono::steady_clock::now() - start < held_up ? good + 1 : 0;
    if (good == in_a_row) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

void Testbed::flood(std::size_t changes) {
  for (std::size_t i = 0; i < changes; ++i) {
    next_mtu(next_port_);
    next_port_ = (next_port_ + 1) % rows_.size();
  }
  links_.flush();
  for (std::size_t i = 0; i < rows_.size(); ++i) rows_[i].mtu = std::to_string(mtus_[i]);
}

}  // namespace portsync::bench
