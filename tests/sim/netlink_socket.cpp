// SPDX-License-Identifier: Apache-2.0
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sim/kernel.hpp"

namespace sim {
namespace {

constexpr std::size_t largest_part = 32768;

template <typename T>
T read_as(const std::byte* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

template <typename T>
void append(std::vector<std::byte>& out, const T& value) {
  const std::size_t at = out.size();
  out.resize(at + ((sizeof value + 3) & ~std::size_t{3}));
  std::memcpy(out.data() + at, &value, sizeof value);
}

}  // namespace

NetlinkSocket::~NetlinkSocket() {
  kernel_.leave(*this);
  *alive_ = false;
}

std::uint32_t NetlinkSocket::ready() const {
  std::uint32_t events = EPOLLOUT;
  if (head_ < queue_.size()) events |= EPOLLIN;
  if (error_ != 0) events |= EPOLLERR;
  return events;
}

int NetlinkSocket::bind() {
  port_ = kernel_.next_port();
  return 0;
}

int NetlinkSocket::join(std::uint32_t group) {
  if (group != RTNLGRP_LINK) return -EINVAL;
  if (!joined_) kernel_.join(*this);
  joined_ = true;
  return 0;
}

int NetlinkSocket::set_option(int level, int name, int value) {
  if (level == SOL_NETLINK && name == NETLINK_ADD_MEMBERSHIP) return join(static_cast<std::uint32_t>(value));
  if (level != SOL_SOCKET) return 0;
  const auto wanted = static_cast<std::size_t>(value);
  if (name == SO_RCVBUFFORCE) {
    if (!kernel_.style().may_force_buffer) return -EPERM;
    buffer_ = std::max<std::size_t>(wanted * 2, 2304);
  } else if (name == SO_RCVBUF) {
    buffer_ = std::max<std::size_t>(std::min<std::size_t>(wanted, kernel_.style().buffer_limit) * 2, 2304);
  }
  return 0;
}

int NetlinkSocket::get_option(int level, int name, void* value, std::uint32_t& size) const {
  const auto give = [&](const void* from, std::size_t bytes) {
    size = static_cast<std::uint32_t>(std::min<std::size_t>(size, bytes));
    std::memcpy(value, from, size);
    return 0;
  };
  if (level == SOL_SOCKET && name == SO_MEMINFO) {
    std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
    info[SK_MEMINFO_RMEM_ALLOC] = static_cast<std::uint32_t>(allocated_);
    info[SK_MEMINFO_RCVBUF] = static_cast<std::uint32_t>(buffer_);
    info[SK_MEMINFO_DROPS] = drops_;
    return give(info.data(), sizeof info);
  }
  if (level == SOL_SOCKET && name == SO_RCVBUF) {
    const int buffer = static_cast<int>(buffer_);
    return give(&buffer, sizeof buffer);
  }
  if (level == SOL_NETLINK && name == NETLINK_LIST_MEMBERSHIPS) {
    const std::uint32_t groups = joined_ ? 1U << (RTNLGRP_LINK - 1) : 0;
    return give(&groups, sizeof groups);
  }
  return -ENOPROTOOPT;
}

// ---- the queue

void NetlinkSocket::deliver(const std::shared_ptr<const Datagram>& datagram, std::uint32_t charge, bool notification) {
  if (notification && (congested_ || allocated_ > buffer_)) return overrun();
  queue_.push_back({datagram, charge});
  allocated_ += charge;
}

// Counts each loss. The first makes the next read fail. Then no notification is queued until the queue has been read.
void NetlinkSocket::overrun() {
  ++drops_;
  if (!congested_) error_ = ENOBUFS;
  congested_ = true;
}

void NetlinkSocket::queue(std::vector<std::byte> bytes) {
  auto datagram = std::make_shared<Datagram>();
  datagram->bytes = std::move(bytes);
  deliver(datagram, static_cast<std::uint32_t>(datagram->bytes.size()) + 768, false);
}

NetlinkSocket::Received NetlinkSocket::receive(std::byte* data, std::size_t size, bool blocking) {
  if (error_ != 0) return {-std::exchange(error_, 0), 0, 0};
  while (head_ == queue_.size()) {
    congested_ = false;
    if (!blocking) return {-EAGAIN, 0, 0};
    if (error_ != 0) return {-std::exchange(error_, 0), 0, 0};
    kernel_.world().block("recvmsg", kernel_.world().now() + millisecond);
  }
  const Waiting waiting = std::move(queue_[head_]);
  if (++head_ == queue_.size()) {
    queue_.clear();
    head_ = 0;
    congested_ = false;
  }
  allocated_ -= waiting.charge;
  longest_read_ = std::max(longest_read_, size);
  const std::vector<std::byte>& bytes = waiting.datagram->bytes;
  const std::size_t copied = std::min(size, bytes.size());
  std::memcpy(data, bytes.data(), copied);
  if (listing_ && !listing_->done && !listing_->writing && allocated_ <= buffer_ / 2) write_part();
  return {static_cast<ssize_t>(copied), bytes.size(), waiting.datagram->sender};
}

// ---- requests

ssize_t NetlinkSocket::send(const std::byte* data, std::size_t size) {
  if (size < sizeof(nlmsghdr)) return -EINVAL;
  const auto header = read_as<nlmsghdr>(data);
  if (header.nlmsg_len > size || header.nlmsg_len < sizeof(nlmsghdr)) return static_cast<ssize_t>(size);
  World& world = kernel_.world();
  if (kernel_.deaf()) return static_cast<ssize_t>(size);
  if (header.nlmsg_type < NLMSG_MIN_TYPE) {
    if ((header.nlmsg_flags & NLM_F_ACK) != 0) acknowledge(data, 0);
    return static_cast<ssize_t>(size);
  }
  // From here on like rtnetlink_rcv_msg(), under the lock.
  if (kernel_.lock_free_at() > world.now()) world.block("sendmsg", kernel_.lock_free_at());
  if (header.nlmsg_type == RTM_GETLINK && (header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
    if (listing_ && !listing_->done) {
      acknowledge(data, -EBUSY);
    } else {
      listing_ = Listing{header.nlmsg_seq};
      write_part();
    }
  } else if (header.nlmsg_type == RTM_GETLINK) {
    answer_one_link(data);
  } else if (header.nlmsg_type == RTM_NEWLINK) {
    set_link(data, size);
  } else {
    acknowledge(data, -EOPNOTSUPP);
  }
  return static_cast<ssize_t>(size);
}

// Queues one datagram of a listing: as many links as fit, or the end. It describes the present state, and may arrive
// later.
void NetlinkSocket::write_part() {
  World& world = kernel_.world();
  if (kernel_.lock_free_at() > world.now()) world.block("recvmsg", kernel_.lock_free_at());
  Listing& listing = *listing_;
  const std::size_t wanted = std::clamp<std::size_t>(longest_read_, 4096, largest_part);
  const std::size_t room = std::min<std::size_t>(wanted, kernel_.style().part_bytes);
  const std::uint32_t sequence = kernel_.sequence();
  const bool interrupted = listing.seen != 0 && listing.seen != sequence;
  listing.seen = sequence;
  const auto flags = static_cast<std::uint16_t>(NLM_F_MULTI | (interrupted ? NLM_F_DUMP_INTR : 0));
  std::vector<std::byte> part;
  std::vector<std::byte> message;
  bool full = false;
  for (auto it = kernel_.links().lower_bound(listing.next); it != kernel_.links().end(); ++it) {
    if (it->second.netns != 0) continue;
    message.clear();
    kernel_.describe(message, it->second, RTM_NEWLINK, flags, listing.sequence, port_);
    full = !part.empty() && part.size() + message.size() > room;
    if (full) break;
    part.insert(part.end(), message.begin(), message.end());
    listing.next = it->first + 1;
  }
  const bool refused = world.fails(kernel_.faults.refused);
  if (part.empty() || refused) {
    listing.done = true;
    part.clear();
    append(part, nlmsghdr{sizeof(nlmsghdr) + sizeof(int), NLMSG_DONE, flags, listing.sequence, port_});
    append(part, refused ? -ENOMEM : 0);
  }
  if (!world.fails(kernel_.faults.late_reply)) return queue(std::move(part));
  listing.writing = true;
  world.after(world.noise().between(1, 3000) * microsecond,
              [this, alive = alive_, part = std::move(part)]() mutable {
                if (!*alive) return;
                listing_->writing = false;
                queue(std::move(part));
              });
}

void NetlinkSocket::acknowledge(const std::byte* request, int error) {
  const auto header = read_as<nlmsghdr>(request);
  std::vector<std::byte> bytes;
  const nlmsghdr answer{sizeof(nlmsghdr) + sizeof(nlmsgerr), NLMSG_ERROR, NLM_F_CAPPED, header.nlmsg_seq, port_};
  append(bytes, answer);
  append(bytes, nlmsgerr{error, header});
  queue(std::move(bytes));
}

void NetlinkSocket::answer_one_link(const std::byte* request) {
  const auto header = read_as<nlmsghdr>(request);
  const auto wanted = read_as<ifinfomsg>(request + sizeof(nlmsghdr));
  const Link* link = kernel_.find(wanted.ifi_index);
  if (link == nullptr || link->netns != 0) return acknowledge(request, -ENODEV);
  std::vector<std::byte> bytes;
  kernel_.describe(bytes, *link, RTM_NEWLINK, 0, header.nlmsg_seq, port_);
  queue(std::move(bytes));
  if ((header.nlmsg_flags & NLM_F_ACK) != 0) acknowledge(request, 0);
}

void NetlinkSocket::set_link(const std::byte* request, std::size_t size) {
  if (size < sizeof(nlmsghdr) + sizeof(ifinfomsg)) return acknowledge(request, -EINVAL);
  const auto wanted = read_as<ifinfomsg>(request + sizeof(nlmsghdr));
  const Link* link = kernel_.find(wanted.ifi_index);
  if (link == nullptr || link->netns != 0) return acknowledge(request, -ENODEV);
  if (!kernel_.style().may_force_buffer) return acknowledge(request, -EPERM);
  if ((wanted.ifi_change & IFF_UP) != 0) kernel_.set_admin(wanted.ifi_index, (wanted.ifi_flags & IFF_UP) != 0);
  acknowledge(request, 0);
}

}  // namespace sim
