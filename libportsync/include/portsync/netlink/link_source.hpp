// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <portsync/export.hpp>
#include <portsync/link_source.hpp>

namespace portsync::netlink {

// How the event socket is opened and watched.
struct Options {
  // Size of the event socket's receive buffer, set with SO_RCVBUFFORCE, or without CAP_NET_ADMIN with SO_RCVBUF, which
  // net.core.rmem_max limits. A notification occupies about 2,304 bytes of it.
  // LinkSourceStatistics::receive_buffer_bytes has the effective size.
  std::size_t receive_buffer_bytes = 16 * 1024 * 1024;
  // How often to probe a silent event socket, and how long to wait for the reply. 0 = never.
  std::chrono::milliseconds probe_interval{10'000};
  std::chrono::milliseconds probe_timeout{1'000};  // see probe_interval
};

// Returns the category of libnl's errors (netlink/errno.h, NLE_*), which keep their values.
[[nodiscard]] PORTSYNC_API const std::error_category& error_category() noexcept;

// Makes a source that follows the links of the calling thread's network namespace (RTNLGRP_LINK of rtnetlink(7)).
// process() may reopen sockets, so the thread that calls it must stay in that namespace. Needs no privilege. Throws
// std::system_error that names what could not be opened. EAFNOSUPPORT means that AF_NETLINK is not among the unit's
// RestrictAddressFamilies=.
[[nodiscard]] PORTSYNC_API std::unique_ptr<LinkSource> make_link_source(const Options& options = {});

}  // namespace portsync::netlink
