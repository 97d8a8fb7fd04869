// SPDX-License-Identifier: Apache-2.0
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>

#include <array>
#include <cerrno>
#include <portsync/netlink/link_control.hpp>

#include "netlink/route_socket.hpp"
#include "os/socket.hpp"

namespace portsync::netlink {
namespace {

std::error_code system_error(int error) noexcept {
  return {error, std::system_category()};
}

}  // namespace

class LinkControl::Impl {
 public:
  std::error_code set_down(std::int32_t ifindex) {
    const Message message(nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_ACK));
    if (!message) return system_error(ENOMEM);
    ifinfomsg header{};
    header.ifi_family = AF_UNSPEC;
    header.ifi_index = ifindex;
    header.ifi_change = IFF_UP;
    if (nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0) return system_error(ENOMEM);
    if (const std::error_code error = socket_.send(*message)) return error;
    return acknowledgement(nlmsg_hdr(message.get())->nlmsg_seq);
  }

 private:
  // Reads the kernel's reply to the request. The reply is already queued, because the kernel completes the request
  // before sendmsg() returns. libnl's own codes are not used, because they do not distinguish EPERM from EACCES.
  std::error_code acknowledgement(std::uint32_t sequence) {
    while (true) {
      alignas(nlmsghdr) std::array<char, 8192> buffer{};
      const ssize_t size = os::recv(socket_.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return system_error(errno);
      const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer.data());
      if (nlmsg_ok(answer, static_cast<int>(size)) == 0 || answer->nlmsg_type != NLMSG_ERROR ||
          nlmsg_datalen(answer) < static_cast<int>(sizeof(nlmsgerr)) || answer->nlmsg_seq != sequence) {
        continue;
      }
      const int error = static_cast<const nlmsgerr*>(nlmsg_data(answer))->error;
      return error == 0 ? std::error_code() : system_error(-error);
    }
  }

  RouteSocket socket_{"changing links"};
};

LinkControl::LinkControl() : impl_(std::make_unique<Impl>()) {}
LinkControl::~LinkControl() = default;

std::error_code LinkControl::set_down(std::int32_t ifindex) {
  return impl_->set_down(ifindex);
}

}  // namespace portsync::netlink
