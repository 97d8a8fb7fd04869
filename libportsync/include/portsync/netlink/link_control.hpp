// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <portsync/export.hpp>
#include <system_error>

namespace portsync::netlink {

// Changes links (RTM_NEWLINK, rtnetlink(7)) of the network namespace in which the calling thread constructs the object.
// Needs CAP_NET_ADMIN there.
class PORTSYNC_API LinkControl {
 public:
  // Opens the socket. Throws std::system_error.
  LinkControl();
  LinkControl(const LinkControl&) = delete;
  LinkControl& operator=(const LinkControl&) = delete;
  ~LinkControl();

  // Clears IFF_UP. The kernel does so before this function returns, which may take a millisecond. Returns the kernel's
  // errno: std::errc::operation_not_permitted, std::errc::no_such_device and others.
  [[nodiscard]] std::error_code set_down(std::int32_t ifindex);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace portsync::netlink
