// SPDX-License-Identifier: Apache-2.0
// A program outside the source tree: follows the loopback link with a sink of two functions until the first snapshot is
// stored. C++17, public headers, pkg-config. test_consumer.py builds and runs it against an installed library, shared
// and static.

#include <poll.h>

#include <cstdio>
#include <cstring>
#include <portsync/netlink/link_source.hpp>
#include <portsync/redis/state_sink.hpp>
#include <portsync/synchronizer.hpp>
#include <portsync/version.hpp>

int main() {
  if (std::strcmp(portsync::version(), PORTSYNC_VERSION) != 0) return 2;
  int rows = 0;
  const auto source = portsync::netlink::make_link_source();
  const auto sink = portsync::make_callback_sink(
      [&rows](const portsync::PortRecord& record) {
        ++rows;
        std::printf("%s mtu=%s\n", record.port.c_str(), portsync::find_field(record, "mtu")->c_str());
        return std::error_code{};
      },
      [](std::string_view) { return std::error_code{}; });

  portsync::SynchronizerOptions options;
  options.filter.match = {"lo"};
  portsync::Synchronizer synchronizer{*source, options};
  synchronizer.add_sink(*sink, portsync::redis::make_projection({}), "stdout");
  if (synchronizer.start()) return 3;
  while (!synchronizer.synchronized()) {
    pollfd wait{synchronizer.fd(), POLLIN, 0};
    if (poll(&wait, 1, 5000) != 1 || synchronizer.process()) return 4;
  }
  return rows == 1 ? 0 : 5;
}
