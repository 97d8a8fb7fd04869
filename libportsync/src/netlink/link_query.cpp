// SPDX-License-Identifier: Apache-2.0
#include "netlink/link_query.hpp"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <utility>

#include "netlink/decode.hpp"
#include "netlink/receive_buffer.hpp"
#include "os/clock.hpp"
#include "os/socket.hpp"

namespace portsync::netlink {
namespace {

// The kernel queues its reply before the call that sends the query returns. So a missing reply means a failure.
constexpr std::chrono::milliseconds reply_timeout{1000};

// Returns the result at the end of a listing, or of a failed request: 0 or a negative errno.
int result_of(const nlmsghdr& message) {
  int result = 0;
  if (nlmsg_datalen(&message) >= static_cast<int>(sizeof result)) {
    std::memcpy(&result, nlmsg_data(&message), sizeof result);
  }
  return result;
}

// A signal does not extend the wait.
bool wait_readable(int fd) {
  pollfd waited{fd, POLLIN, 0};
  const TimePoint end = os::now() + reply_timeout;
  int count = 0;
  do {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - os::now());
    count = os::poll(&waited, 1, static_cast<int>(std::max(left.count(), std::chrono::milliseconds::rep{0})));
  } while (count < 0 && errno == EINTR && os::now() < end);
  return count > 0;
}

}  // namespace

void Replies::Unmap::operator()(std::byte* memory) const noexcept {
  ::munmap(memory, capacity);
}

std::span<std::byte> Replies::operator[](std::size_t datagram) const noexcept {
  const std::size_t begin = datagram == 0 ? 0 : NLMSG_ALIGN(ends_[datagram - 1]);
  return {memory_.get() + begin, ends_[datagram] - begin};
}

void Replies::clear() noexcept {
  status = Status::more;
  foreign = 0;
  ends_.clear();
  used_ = 0;
}

std::span<std::byte> Replies::room() {
  if (!memory_) {
    void* memory = ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    memory_.reset(static_cast<std::byte*>(memory));
  }
  return {memory_.get() + used_, capacity - used_};
}

void Replies::add(std::size_t bytes) {
  ends_.push_back(used_ + bytes);
  used_ = NLMSG_ALIGN(used_ + bytes);
}

void LinkQuery::ask_about(std::vector<std::int32_t> ifindexes) {
  ifindexes_ = std::move(ifindexes);
  asked_ = 0;
  stage_ = Stage::asking;
}

void LinkQuery::read(Replies& replies) noexcept {
  try {
    if (stage_ == Stage::asking) {
      ask(replies);
    } else {
      list(replies);
    }
  } catch (const std::bad_alloc&) {
    replies.status = Replies::Status::failed;
  }
}

void LinkQuery::list(Replies& replies) {
  if (stage_ == Stage::not_asked) {
    stage_ = Stage::listing;
    if (!send(NLM_F_DUMP, 0)) replies.status = Replies::Status::failed;
  }
  while (replies.status == Replies::Status::more && !replies.full()) read_one(replies);
}

// Sends one query at a time, so that the receive buffer needs room for one reply only. The kernel has replied when
// sendmsg() returns.
void LinkQuery::ask(Replies& replies) {
  for (; asked_ < ifindexes_.size() && !replies.full(); ++asked_) {
    if (!send(0, ifindexes_[asked_])) {
      replies.status = Replies::Status::failed;
      return;
    }
    for (const std::size_t before = replies.size(); replies.size() == before;) {  // skips foreign datagrams
      read_one(replies);
      if (replies.status == Replies::Status::failed) return;
    }
  }
  if (asked_ == ifindexes_.size()) replies.status = Replies::Status::complete;
}

bool LinkQuery::send(int flags, std::int32_t ifindex) {
  const Message message(nlmsg_alloc_simple(RTM_GETLINK, flags));
  if (!message) return false;
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = ifindex;
  int code = nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO);
  // Skip the counters: nothing here reads them, and they are half of a reply. The kernel lists virtual functions on
  // request only (RTEXT_FILTER_VF).
  if (code >= 0) code = nla_put_u32(message.get(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (code < 0 || socket_.send(*message)) return false;
  sequence_ = nlmsg_hdr(message.get())->nlmsg_seq;
  return true;
}

// Reads one datagram. Adds it if the kernel sent it, and otherwise increments `foreign`. Sets the status to failed on
// an error.
void LinkQuery::read_one(Replies& replies) {
  const std::span<std::byte> room = replies.room();
  const int fd = socket_.fd();
  sockaddr_nl sender{};
  iovec part{room.data(), room.size()};
  msghdr header{};
  header.msg_name = &sender;
  header.msg_namelen = sizeof sender;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  ssize_t size = os::recvmsg(fd, &header, MSG_DONTWAIT);
  if (size < 0 && errno == EAGAIN) {
    if (!wait_readable(fd)) {
      replies.status = Replies::Status::failed;
      return;
    }
    size = os::recvmsg(fd, &header, MSG_DONTWAIT);
  }
  if (size < 0 && errno == EINTR) return;
  if (size >= 0 && !is_kernel(sender, header.msg_namelen)) {
    ++replies.foreign;
  } else if (size < 0 || (header.msg_flags & MSG_TRUNC) != 0) {
    replies.status = Replies::Status::failed;
  } else {
    replies.status = inspect(room.first(static_cast<std::size_t>(size)));
    replies.add(static_cast<std::size_t>(size));
  }
}

Replies::Status LinkQuery::inspect(std::span<std::byte> datagram) {
  auto status = Replies::Status::more;
  const bool well_formed = each_message(datagram, [&](const nlmsghdr& message) {
    if (message.nlmsg_seq != sequence_) return;
    if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted_ = true;
    if (message.nlmsg_type == NLMSG_ERROR && (stage_ == Stage::listing || result_of(message) != -ENODEV)) {
      status = Replies::Status::failed;
    } else if (message.nlmsg_type == NLMSG_DONE) {  // a negative errno here means that the listing was aborted
      const auto end = interrupted_ ? Replies::Status::interrupted : Replies::Status::complete;
      status = result_of(message) < 0 ? Replies::Status::failed : end;
    }
  });
  return well_formed ? status : Replies::Status::failed;
}

}  // namespace portsync::netlink
