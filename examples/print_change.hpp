// SPDX-License-Identifier: Apache-2.0
// Prints one line for each change of a link. link_monitor and the embed_* programs use it as their handler.
#pragma once

#include <cstdio>
#include <portsync/link_source.hpp>

inline void print_change(const portsync::LinkEvent& event) {
  using Kind = portsync::LinkEvent::Kind;
  if (event.kind == Kind::removed) {
    std::printf("%s removed\n", event.link->name.c_str());
  } else if (event.kind == Kind::changed) {
    std::printf("%s %s admin=%s oper=%s mtu=%u\n", event.link->name.c_str(),
                event.before == nullptr ? "new" : "changed", event.link->admin_up() ? "up" : "down",
                event.link->running() ? "up" : "down", event.link->mtu.value_or(0));
    if (event.before != nullptr && event.before->name != event.link->name) {
      std::printf("%s was %s\n", event.link->name.c_str(), event.before->name.c_str());
    }
  } else {
    return;  // snapshot_begin and similar kinds, and kinds of newer versions of the library
  }
  std::fflush(stdout);  // so that the reader of a pipe gets the line now
}
