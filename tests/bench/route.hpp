// SPDX-License-Identifier: Apache-2.0
// rtnetlink with nothing around it: what the kernel can do, and what makes the load. An object belongs to the network
// namespace of the thread that made it. Throws std::system_error.
#pragma once

#include <linux/rtnetlink.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "os/descriptor.hpp"

namespace portsync::bench {

// The parts of a link that its row shows.
struct Link {
  std::int32_t ifindex = 0;
  unsigned flags = 0;
  std::uint32_t mtu = 0;
  const char* name = "";  // points into the message
};

// Returns false if it is no RTM_NEWLINK.
bool parse(const nlmsghdr& message, Link& link);

// Changes links, 32 requests in one system call. When flush() returns, the changes are done and their notifications
// queued.
class LinkChanger {
 public:
  LinkChanger();

  // Makes the pair's other end in another network namespace.
  void add_veth(const std::string& name, std::int32_t index, const std::string& peer, std::int32_t peer_index,
                int peer_namespace);
  void set_mtu(std::int32_t index, std::uint32_t mtu);
  void set_up(std::int32_t index, bool up);
  void flush();

 private:
  void begin(std::uint16_t flags, std::int32_t index, bool change_up = false, bool up = false);
  void end();
  void append(const void* data, std::size_t size);
  void attribute(std::uint16_t type, const void* value, std::size_t size);
  void attribute(std::uint16_t type, const std::string& text);
  [[nodiscard]] std::size_t open_attribute(std::uint16_t type);
  void close_attribute(std::size_t start);
  [[nodiscard]] bool read_answers();

  os::Descriptor socket_;
  std::vector<std::byte> requests_;
  std::size_t last_ = 0;  // where the last request begins
  int count_ = 0;
  std::uint32_t sequence_ = 0;
};

// Receives link changes as any program may, one recv() for each message. Throws if it lost some.
class LinkListener {
 public:
  LinkListener();

  // Waits for a message that fits, and reads over others. Returns std::nullopt after 5 s without one.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> wait(const std::function<bool(const Link&)>& fits);
  // Reads the queued messages and returns their number.
  std::size_t drain();
  // The loop of a program that does nothing else.
  [[noreturn]] void read_for_ever(const std::function<void(const Link&)>& handler);

 private:
  [[nodiscard]] std::size_t receive(int flags);  // returns bytes; 0 = nothing is queued

  os::Descriptor socket_;
  std::vector<std::byte> buffer_;
};

// Lists all links and returns their number. Parses nothing without a handler.
std::size_t dump_links(const std::function<void(const Link&)>& handler = {});

// The largest receive queue, in bytes, and the drops of all sockets in this namespace that are in a group.
struct ListenerQueues {
  std::size_t backlog_bytes = 0;
  std::uint64_t drops = 0;
};
[[nodiscard]] ListenerQueues listener_queues();

}  // namespace portsync::bench
