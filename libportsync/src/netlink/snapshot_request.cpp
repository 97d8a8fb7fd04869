// SPDX-License-Identifier: Apache-2.0
#include "netlink/snapshot_request.hpp"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "netlink/receive_buffer.hpp"

namespace portsync::netlink {
std::error_code SnapshotRequest::send() {
  const Message message(nlmsg_alloc_simple(RTM_GETLINK, NLM_F_DUMP));
  if (!message) return libnl_error(NLE_NOMEM);
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  int code = nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO);
  // Counters that nobody reads are half of a reply. Virtual functions are listed on request only (RTEXT_FILTER_VF).
  if (code >= 0) code = nla_put_u32(message.get(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (code >= 0) code = nl_send_auto(socket_.get(), message.get());
  if (code < 0) return libnl_error(code);
  sequence_ = nlmsg_hdr(message.get())->nlmsg_seq;
  return {};
}

SnapshotRequest::Status SnapshotRequest::receive(std::span<std::byte> buffer, std::span<std::byte>& datagram) noexcept {
  sockaddr_nl sender{};
  iovec part{buffer.data(), buffer.size()};
  msghdr header{};
  header.msg_name = &sender;
  header.msg_namelen = sizeof sender;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  const ssize_t size = ::recvmsg(fd(), &header, MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR ? Status::waiting : Status::failed;
  if (!is_kernel(sender, header.msg_namelen)) return Status::foreign;
  if ((header.msg_flags & MSG_TRUNC) != 0) return Status::failed;
  datagram = buffer.first(static_cast<std::size_t>(size));
  return Status::more;
}

SnapshotRequest::Status SnapshotRequest::inspect(const nlmsghdr& message) noexcept {
  if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted_ = true;
  if (message.nlmsg_type == NLMSG_ERROR) return Status::failed;
  if (message.nlmsg_type != NLMSG_DONE) return Status::more;
  int result = 0;  // a listing that breaks off says so here, by a negative errno
  if (nlmsg_datalen(&message) >= static_cast<int>(sizeof result)) {
    std::memcpy(&result, nlmsg_data(&message), sizeof result);
  }
  return result < 0 ? Status::failed : Status::complete;
}

}  // namespace portsync::netlink
