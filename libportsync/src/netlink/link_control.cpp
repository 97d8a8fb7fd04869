// SPDX-License-Identifier: Apache-2.0
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <portsync/netlink/link_control.hpp>

#include "netlink/route_socket.hpp"

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
    if (!message) return libnl_error(NLE_NOMEM);
    ifinfomsg header{};
    header.ifi_family = AF_UNSPEC;
    header.ifi_index = ifindex;
    header.ifi_change = IFF_UP;
    int code = nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO);
    if (code >= 0) code = nl_send_auto(socket_.get(), message.get());
    if (code < 0) return libnl_error(code);
    return acknowledgement(nlmsg_hdr(message.get())->nlmsg_seq);
  }

 private:
  // The kernel has done it, or not, before sendmsg() returns: its answer is there. libnl's own codes would not tell
  // EPERM from EACCES.
  std::error_code acknowledgement(std::uint32_t sequence) {
    while (true) {
      alignas(nlmsghdr) std::array<char, 8192> buffer{};
      const ssize_t size = ::recv(nl_socket_get_fd(socket_.get()), buffer.data(), buffer.size(), MSG_DONTWAIT);
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

  RouteSocket socket_ = open_route_socket("changing links");
};

LinkControl::LinkControl() : impl_(std::make_unique<Impl>()) {}
LinkControl::~LinkControl() = default;

std::error_code LinkControl::set_down(std::int32_t ifindex) {
  return impl_->set_down(ifindex);
}

}  // namespace portsync::netlink
