// SPDX-License-Identifier: Apache-2.0
// Changes links of its network namespace, by raw rtnetlink, as fast as the kernel accepts it.
//
//   link_load KIND COUNT FIRST_IFINDEX LINKS
//
// KIND is mtu, admin, alias or group (changes the LINKS links from FIRST_IFINDEX on, in turn), mixed (mtu and admin),
// churn (makes and deletes veth pairs, 64 at a time), or churn_ports (the same with the names of ports, Ethernet9000 to
// Ethernet9063; none is left at the end). Makes COUNT changes, or with COUNT 0 until SIGTERM. Prints "started", then
// "changes=N seconds=S". The last change of each link differs from the one before, so a program that lost it is wrong.

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

volatile std::sig_atomic_t stopped = 0;

// One datagram of requests. The kernel replies to each that requests a reply, or that failed.
class Requests {
 public:
  void begin(std::uint16_t type, std::uint16_t flags, const ifinfomsg& link) {
    start_ = bytes_.size();
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    append(&header, sizeof header);
    append(&link, sizeof link);
    close();
  }
  void attribute(std::uint16_t type, const void* value, std::size_t size) {
    const rtattr header{static_cast<std::uint16_t>(RTA_LENGTH(size)), type};
    append(&header, sizeof header);
    append(value, size);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
    close();
  }
  void attribute(std::uint16_t type, std::uint32_t value) { attribute(type, &value, sizeof value); }
  void attribute(std::uint16_t type, const std::string& value) { attribute(type, value.c_str(), value.size() + 1); }

  // Sends the collected requests and waits for the reply to the last one.
  void send(int fd) {
    nlmsghdr last{};
    std::memcpy(&last, &bytes_[start_], sizeof last);
    last.nlmsg_flags |= NLM_F_ACK;
    last.nlmsg_seq = ++sequence_;
    std::memcpy(&bytes_[start_], &last, sizeof last);
    if (::send(fd, bytes_.data(), bytes_.size(), 0) < 0) throw std::system_error(errno, std::system_category(), "send");
    bytes_.clear();
    while (!answered(fd)) {
    }
  }

 private:
  void append(const void* data, std::size_t size) {
    const auto* begin = static_cast<const char*>(data);
    bytes_.insert(bytes_.end(), begin, begin + size);
  }
  void close() {
    const auto size = static_cast<std::uint32_t>(bytes_.size() - start_);
    std::memcpy(&bytes_[start_ + offsetof(nlmsghdr, nlmsg_len)], &size, sizeof size);
  }
  bool answered(int fd) {
    alignas(nlmsghdr) std::array<char, 16384> buffer{};
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (size < 0) throw std::system_error(errno, std::system_category(), "recv");
    bool last = false;
    for (std::size_t at = 0; at + sizeof(nlmsghdr) <= static_cast<std::size_t>(size);) {
      nlmsghdr header{};
      std::memcpy(&header, &buffer[at], sizeof header);
      if (header.nlmsg_type == NLMSG_ERROR) {
        int error = 0;
        std::memcpy(&error, &buffer[at + NLMSG_HDRLEN], sizeof error);
        if (error != 0) throw std::system_error(-error, std::system_category(), "the kernel refused a change");
        last = last || header.nlmsg_seq == sequence_;
      }
      at += NLMSG_ALIGN(header.nlmsg_len);
    }
    return last;
  }

  std::vector<char> bytes_;
  std::size_t start_ = 0;
  std::uint32_t sequence_ = 0;
};

struct Load {
  std::string_view kind;
  long count = 0;
  int first_ifindex = 0;
  int links = 1;
};

void add_change(Requests& requests, const Load& load, long number) {
  const long round = number / load.links;
  ifinfomsg link{};
  link.ifi_index = load.first_ifindex + static_cast<int>(number % load.links);
  const bool admin = load.kind == "admin" || (load.kind == "mixed" && round % 4 == 3);
  if (admin) {
    const long turn = load.kind == "admin" ? round : round / 4;
    link.ifi_change = IFF_UP;
    link.ifi_flags = turn % 2 == 0 ? 0U : static_cast<unsigned>(IFF_UP);
  }
  requests.begin(RTM_NEWLINK, 0, link);
  if (admin) return;
  if (load.kind == "alias") {
    requests.attribute(IFLA_IFALIAS, "alias " + std::to_string(round));
  } else {
    const bool mtu = load.kind != "group";
    requests.attribute(mtu ? IFLA_MTU : IFLA_GROUP, static_cast<std::uint32_t>((mtu ? 1400 : 1) + round % 1000));
  }
}

long change_links(int fd, const Load& load) {
  constexpr long kBatch = 32;
  Requests requests;
  long done = 0;
  while (stopped == 0 && (load.count == 0 || done < load.count)) {
    for (long in_batch = 0; in_batch < kBatch && (load.count == 0 || done < load.count); ++in_batch, ++done) {
      add_change(requests, load, done);
    }
    requests.send(fd);
  }
  return done;
}

// To delete a link, the kernel waits for its readers. Many links at once take hardly longer than one, so they are
// deleted as a group.
long churn(int fd, const Load& load) {
  constexpr std::uint32_t kGroup = 4242;
  constexpr int kAtOnce = 64;
  const bool ports = load.kind == "churn_ports";
  Requests requests;
  long done = 0;
  while (stopped == 0 && (load.count == 0 || done < load.count)) {
    for (int i = 0; i < kAtOnce; ++i) {
      requests.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
      requests.attribute(IFLA_IFNAME, ports ? "Ethernet" + std::to_string(9000 + i) : "churn" + std::to_string(i));
      requests.attribute(IFLA_GROUP, kGroup);
      std::array<char, RTA_LENGTH(4)> info{};  // IFLA_INFO_KIND "veth"; the kernel names the other end
      const rtattr kind{static_cast<std::uint16_t>(info.size()), IFLA_INFO_KIND};
      std::memcpy(info.data(), &kind, sizeof kind);
      std::memcpy(&info[RTA_LENGTH(0)], "veth", 4);
      requests.attribute(IFLA_LINKINFO, info.data(), info.size());
      requests.send(fd);
    }
    requests.begin(RTM_DELLINK, 0, ifinfomsg{});
    requests.attribute(IFLA_GROUP, kGroup);
    requests.send(fd);
    done += 2 * kAtOnce;
  }
  return done;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: link_load mtu|admin|alias|group|mixed|churn|churn_ports COUNT FIRST_IFINDEX LINKS\n");
    return 2;
  }
  const Load load{argv[1], std::atol(argv[2]), std::atoi(argv[3]), std::atoi(argv[4])};
  std::signal(SIGTERM, [](int) { stopped = 1; });
  try {
    const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) throw std::system_error(errno, std::system_category(), "socket");
    std::puts("started");
    std::fflush(stdout);
    const auto before = std::chrono::steady_clock::now();
    const long done = load.kind.rfind("churn", 0) == 0 ? churn(fd, load) : change_links(fd, load);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - before;
    std::printf("changes=%ld seconds=%.3f\n", done, taken.count());
    ::close(fd);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "link_load: %s\n", e.what());
    return 1;
  }
  return 0;
}
