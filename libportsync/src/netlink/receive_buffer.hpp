// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace portsync::netlink {

[[nodiscard]] inline bool is_kernel(const sockaddr_nl& sender, socklen_t size) noexcept {
  return size == sizeof sender && sender.nl_family == AF_NETLINK && sender.nl_pid == 0;
}

// The memory that datagrams are read into. It is allocated once and divided into slots for recvmmsg(2).
//
// A notification is one datagram of about 1.5 kB. The kernel truncates a datagram that is longer than a slot (the names
// of a link alone may take 64 KiB). fit_slots() then makes the slots longer, and fewer.
class ReceiveBuffer {
 public:
  static constexpr std::size_t bytes = 256 * 1024;
  static constexpr std::size_t max_slots = 32;

  struct Datagram {
    std::span<std::byte> data;  // only the beginning, if truncated
    bool from_kernel;
    bool truncated;
  };

  ReceiveBuffer();
  ReceiveBuffer(const ReceiveBuffer&) = delete;
  ReceiveBuffer& operator=(const ReceiveBuffer&) = delete;

  // Reads the datagrams that are available, at most slots(), and never blocks. Returns their number, or -errno.
  [[nodiscard]] int receive(int fd) noexcept;
  // Returns a datagram of the last receive().
  [[nodiscard]] Datagram datagram(std::size_t slot) noexcept;

  [[nodiscard]] std::size_t slots() const noexcept { return slots_; }
  // Makes the slots long enough for the kernel's longest datagram of the last receive(), and overwrites the datagrams
  // of that call.
  void fit_slots() noexcept;

 private:
  void cut() noexcept;
  [[nodiscard]] bool from_kernel(std::size_t slot) const noexcept;

  std::unique_ptr<std::byte[]> memory_;
  std::size_t slots_ = max_slots;
  std::size_t longest_ = 0;  // full length in bytes of the kernel's longest datagram in the last receive()
  std::array<sockaddr_nl, max_slots> senders_{};
  std::array<iovec, max_slots> parts_{};
  std::array<mmsghdr, max_slots> messages_{};
};

}  // namespace portsync::netlink
