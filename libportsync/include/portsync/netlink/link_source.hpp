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
  // Size of the event socket's receive buffer: SO_RCVBUFFORCE, else (no CAP_NET_ADMIN) SO_RCVBUF, which
  // net.core.rmem_max clamps. A notification takes about 2,304 bytes of it. LinkSourceStatistics::receive_buffer_bytes
  // has the effective size.
  std::size_t receive_buffer_bytes = 16 * 1024 * 1024;
  // How often a silent event socket is asked for a sign of life, and for how long the answer may take. 0 = never.
  std::chrono::milliseconds probe_interval{10'000};
  std::chrono::milliseconds probe_timeout{1'000};  // see probe_interval
};

// Errors of libnl (netlink/errno.h, NLE_*), kept as they are.
[[nodiscard]] PORTSYNC_API const std::error_category& error_category() noexcept;

// Follows the links of the network namespace that the calling thread is in (RTNLGRP_LINK of rtnetlink(7)). Sockets are
// opened anew in process(): the thread that calls it stays in that namespace. Needs no privilege. Throws
// std::system_error that names what could not be opened; EAFNOSUPPORT means that AF_NETLINK is not among the unit's
// RestrictAddressFamilies=.
[[nodiscard]] PORTSYNC_API std::unique_ptr<LinkSource> make_link_source(const Options& options = {});

}  // namespace portsync::netlink
