// SPDX-License-Identifier: Apache-2.0
#include "netlink/receive_buffer.hpp"

#include <algorithm>
#include <cerrno>

#include "os/socket.hpp"

namespace portsync::netlink {

ReceiveBuffer::ReceiveBuffer() : memory_(new std::byte[bytes]) {
  cut();
}

void ReceiveBuffer::cut() noexcept {
  const std::size_t slot_bytes = bytes / slots_;
  for (std::size_t i = 0; i < slots_; ++i) {
    parts_[i] = {memory_.get() + i * slot_bytes, slot_bytes};
    msghdr& header = messages_[i].msg_hdr;
    header = {};
    header.msg_name = &senders_[i];
    header.msg_iov = &parts_[i];
    header.msg_iovlen = 1;
  }
}

int ReceiveBuffer::receive(int fd) noexcept {
  for (std::size_t i = 0; i < slots_; ++i) messages_[i].msg_hdr.msg_namelen = sizeof(sockaddr_nl);
  // With MSG_TRUNC the kernel returns the full length of a datagram even if it truncated it.
  const int count = os::recvmmsg(fd, messages_.data(), static_cast<unsigned>(slots_), MSG_DONTWAIT | MSG_TRUNC);
  if (count < 0) return -errno;
  longest_ = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    if (from_kernel(i)) longest_ = std::max<std::size_t>(longest_, messages_[i].msg_len);
  }
  return count;
}

bool ReceiveBuffer::from_kernel(std::size_t slot) const noexcept {
  return is_kernel(senders_[slot], messages_[slot].msg_hdr.msg_namelen);
}

ReceiveBuffer::Datagram ReceiveBuffer::datagram(std::size_t slot) noexcept {
  const mmsghdr& message = messages_[slot];
  const std::size_t size = std::min<std::size_t>(message.msg_len, parts_[slot].iov_len);
  return {{static_cast<std::byte*>(parts_[slot].iov_base), size},
          from_kernel(slot),
          (message.msg_hdr.msg_flags & MSG_TRUNC) != 0};
}

void ReceiveBuffer::fit_slots() noexcept {
  if (longest_ <= bytes / slots_) return;
  while (slots_ > 1 && longest_ > bytes / slots_) slots_ /= 2;
  cut();
}

}  // namespace portsync::netlink
