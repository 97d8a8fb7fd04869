// SPDX-License-Identifier: Apache-2.0
#include "route.hpp"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/veth.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

namespace portsync::bench {
namespace {

constexpr int requests_at_once = 32;
constexpr std::size_t buffer_bytes = 32 * 1024;
constexpr int listener_buffer_bytes = 32 * 1024 * 1024;
constexpr int patience_ms = 5000;

[[noreturn]] void fail(const char* what, int error = errno) {
  throw std::system_error(error, std::system_category(), what);
}

os::Descriptor open_socket(unsigned groups = 0) {
  os::Descriptor descriptor(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) fail("rtnetlink");
  return descriptor;
}

// The data are aligned as a message is.
template <typename Handler>
void each_message(const std::byte* data, std::size_t size, Handler handler) {
  while (size >= sizeof(nlmsghdr)) {
    const auto* message = reinterpret_cast<const nlmsghdr*>(data);
    if (message->nlmsg_len < sizeof(nlmsghdr) || message->nlmsg_len > size) return;
    handler(*message);
    const std::size_t step = std::min<std::size_t>(NLMSG_ALIGN(message->nlmsg_len), size);
    data += step;
    size -= step;
  }
}

}  // namespace

bool parse(const nlmsghdr& message, Link& link) {
  if (message.nlmsg_type != RTM_NEWLINK || message.nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg))) return false;
  const auto* header = static_cast<const ifinfomsg*>(NLMSG_DATA(&message));
  if (header->ifi_family != AF_UNSPEC) return false;
  link.ifindex = header->ifi_index;
  link.flags = header->ifi_flags;
  const auto* data = reinterpret_cast<const std::byte*>(header) + NLMSG_ALIGN(sizeof *header);
  const std::byte* end = reinterpret_cast<const std::byte*>(&message) + message.nlmsg_len;
  rtattr attribute{};
  while (data + sizeof attribute <= end) {
    std::memcpy(&attribute, data, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || data + attribute.rta_len > end) break;
    const std::byte* value = data + RTA_LENGTH(0);
    if (attribute.rta_type == IFLA_IFNAME) link.name = reinterpret_cast<const char*>(value);
    if (attribute.rta_type == IFLA_MTU) {
      std::memcpy(&link.mtu, value, sizeof link.mtu);
      break;  // the name comes before
    }
    data += RTA_ALIGN(attribute.rta_len);
  }
  return true;
}

// ---- LinkChanger

LinkChanger::LinkChanger() : socket_(open_socket()) {}

void LinkChanger::append(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  requests_.insert(requests_.end(), bytes, bytes + size);
}

void LinkChanger::begin(std::uint16_t flags, std::int32_t index, bool change_up, bool up) {
  if (count_ == requests_at_once) flush();
  last_ = requests_.size();
  nlmsghdr header{};
  header.nlmsg_type = RTM_NEWLINK;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  append(&header, sizeof header);
  ifinfomsg link{};
  link.ifi_index = index;
  link.ifi_change = change_up ? static_cast<unsigned>(IFF_UP) : 0;
  link.ifi_flags = up ? static_cast<unsigned>(IFF_UP) : 0;
  append(&link, sizeof link);
}

void LinkChanger::end() {
  const auto size = static_cast<std::uint32_t>(requests_.size() - last_);
  std::memcpy(&requests_[last_ + offsetof(nlmsghdr, nlmsg_len)], &size, sizeof size);
  ++count_;
}

std::size_t LinkChanger::open_attribute(std::uint16_t type) {
  const std::size_t start = requests_.size();
  const rtattr header{0, type};
  append(&header, sizeof header);
  return start;
}

void LinkChanger::close_attribute(std::size_t start) {
  const auto size = static_cast<std::uint16_t>(requests_.size() - start);
  std::memcpy(&requests_[start + offsetof(rtattr, rta_len)], &size, sizeof size);
  requests_.resize(NLMSG_ALIGN(requests_.size()));
}

void LinkChanger::attribute(std::uint16_t type, const void* value, std::size_t size) {
  const std::size_t start = open_attribute(type);
  append(value, size);
  close_attribute(start);
}
void LinkChanger::attribute(std::uint16_t type, const std::string& text) {
  attribute(type, text.c_str(), text.size() + 1);
}

void LinkChanger::add_veth(const std::string& name, std::int32_t index, const std::string& peer,
                           std::int32_t peer_index, int peer_namespace) {
  begin(NLM_F_CREATE | NLM_F_EXCL, index);
  attribute(IFLA_IFNAME, name);
  const std::size_t info = open_attribute(IFLA_LINKINFO);
  attribute(IFLA_INFO_KIND, std::string("veth"));
  const std::size_t data = open_attribute(IFLA_INFO_DATA);
  const std::size_t peer_info = open_attribute(VETH_INFO_PEER);
  ifinfomsg peer_header{};
  peer_header.ifi_index = peer_index;
  append(&peer_header, sizeof peer_header);
  attribute(IFLA_IFNAME, peer);
  attribute(IFLA_NET_NS_FD, &peer_namespace, sizeof peer_namespace);
  close_attribute(peer_info);
  close_attribute(data);
  close_attribute(info);
  end();
}

void LinkChanger::set_mtu(std::int32_t index, std::uint32_t mtu) {
  begin(0, index);
  attribute(IFLA_MTU, &mtu, sizeof mtu);
  end();
}

void LinkChanger::set_up(std::int32_t index, bool up) {
  begin(0, index, true, up);
  end();
}

// The kernel replies to the last request, and to any that failed.
void LinkChanger::flush() {
  if (count_ == 0) return;
  nlmsghdr last{};
  std::memcpy(&last, &requests_[last_], sizeof last);
  last.nlmsg_flags |= NLM_F_ACK;
  last.nlmsg_seq = ++sequence_;
  std::memcpy(&requests_[last_], &last, sizeof last);
  if (::send(socket_.get(), requests_.data(), requests_.size(), 0) < 0) fail("rtnetlink: send");
  requests_.clear();
  count_ = 0;
  while (!read_answers()) {
  }
}

bool LinkChanger::read_answers() {
  alignas(nlmsghdr) std::byte answers[4096];
  const ssize_t size = ::recv(socket_.get(), answers, sizeof answers, 0);
  if (size < 0) fail("rtnetlink: recv");
  bool last = false;
  each_message(answers, static_cast<std::size_t>(size), [&](const nlmsghdr& message) {
    if (message.nlmsg_type != NLMSG_ERROR) return;
    const int error = static_cast<const nlmsgerr*>(NLMSG_DATA(&message))->error;
    if (error != 0) fail("the kernel refuses a link change", -error);
    last = last || message.nlmsg_seq == sequence_;
  });
  return last;
}

// ---- LinkListener

LinkListener::LinkListener() : socket_(open_socket(RTMGRP_LINK)), buffer_(buffer_bytes) {
  if (::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &listener_buffer_bytes, sizeof(int)) < 0) {
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &listener_buffer_bytes, sizeof(int));
  }
}

std::size_t LinkListener::receive(int flags) {
  for (;;) {
    const ssize_t size = ::recv(socket_.get(), buffer_.data(), buffer_.size(), flags);
    if (size >= 0) return static_cast<std::size_t>(size);
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) fail("the bench's own link listener");
  }
}

std::optional<std::chrono::steady_clock::time_point> LinkListener::wait(const std::function<bool(const Link&)>& fits) {
  for (;;) {
    std::size_t size = receive(MSG_DONTWAIT);
    if (size == 0) {
      pollfd waiting{socket_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, patience_ms) == 0) return std::nullopt;
      size = receive(MSG_DONTWAIT);
    }
    const auto now = std::chrono::steady_clock::now();
    bool found = false;
    each_message(buffer_.data(), size, [&](const nlmsghdr& message) {
      Link link;
      found = found || (parse(message, link) && fits(link));
    });
    if (found) return now;
  }
}

std::size_t LinkListener::drain() {
  std::size_t messages = 0;
  while (receive(MSG_DONTWAIT) > 0) ++messages;
  return messages;
}

void LinkListener::read_for_ever(const std::function<void(const Link&)>& handler) {
  for (;;) {
    const std::size_t size = receive(0);
    each_message(buffer_.data(), size, [&](const nlmsghdr& message) {
      Link link;
      if (handler && parse(message, link)) handler(link);
    });
  }
}

// ---- others

std::size_t dump_links(const std::function<void(const Link&)>& handler) {
  const os::Descriptor socket = open_socket();
  struct {
    nlmsghdr header;
    ifinfomsg link;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  if (::send(socket.get(), &request, sizeof request, 0) < 0) fail("rtnetlink: dump");
  std::vector<std::byte> buffer(buffer_bytes);
  std::size_t links = 0;
  for (bool done = false; !done;) {
    const ssize_t size = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) fail("rtnetlink: dump");
    each_message(buffer.data(), static_cast<std::size_t>(size), [&](const nlmsghdr& message) {
      links += message.nlmsg_type == RTM_NEWLINK ? 1U : 0U;
      done = done || message.nlmsg_type == NLMSG_DONE;
      Link link;
      if (handler && parse(message, link)) handler(link);
    });
  }
  return links;
}

// Columns: sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode.
ListenerQueues listener_queues() {
  ListenerQueues queues;
  std::ifstream file("/proc/thread-self/net/netlink");
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string address;
    int protocol = 0;
    std::uint64_t pid = 0;
    std::string groups;
    std::uint64_t backlog = 0;
    std::uint64_t other = 0;
    std::uint64_t drops = 0;
    words >> address >> protocol >> pid >> groups >> backlog >> other >> other >> other >> drops;
    if (!words || protocol != NETLINK_ROUTE || pid == 0 || groups == "00000000") continue;
    queues.backlog_bytes = std::max<std::size_t>(queues.backlog_bytes, backlog);
    queues.drops += drops;
  }
  return queues;
}

}  // namespace portsync::bench
