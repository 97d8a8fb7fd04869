// SPDX-License-Identifier: Apache-2.0
// link_monitor in an sd-event loop, for services that already have one. SIGTERM ends it.
//
//   g++ -std=c++17 embed_sd_event.cpp -o embed_sd_event $(pkg-config --cflags --libs portsync libsystemd)
//
// sd-event is level-triggered by default, as a Pollable requires: work that process() leaves wakes the loop again.
#include <systemd/sd-event.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <portsync/netlink/link_source.hpp>
#include <system_error>

#include "print_change.hpp"

// A C library calls this function, so it must catch every exception of a handler. These handlers throw none.
int on_readable(sd_event_source* io, int, std::uint32_t, void* data) noexcept {
  const std::error_code error = static_cast<portsync::Pollable*>(data)->process();
  if (!error) return 0;
  std::fprintf(stderr, "embed_sd_event: %s\n", error.message().c_str());
  return sd_event_exit(sd_event_source_get_event(io), 1);
}

int main() try {
  const auto source = portsync::netlink::make_link_source();
  if (const std::error_code error = source->start(print_change)) throw std::system_error(error);

  sd_event* event = nullptr;
  int result = sd_event_default(&event);
  // A signal without a handler ends the loop.
  if (result >= 0) result = sd_event_add_signal(event, nullptr, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, nullptr, nullptr);
  if (result >= 0) result = sd_event_add_io(event, nullptr, source->fd(), EPOLLIN, on_readable, source.get());
  if (result >= 0) result = sd_event_loop(event);
  sd_event_unref(event);  // before the source, because the loop still watches the source's descriptor
  if (result < 0) std::fprintf(stderr, "embed_sd_event: %s\n", std::strerror(-result));
  return result == 0 ? 0 : 1;
} catch (const std::system_error& error) {
  std::fprintf(stderr, "embed_sd_event: %s\n", error.what());
  return 1;
}
