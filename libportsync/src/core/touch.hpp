// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/link_source.hpp>
#include <portsync/pollable.hpp>

namespace portsync::core {

// When and why a port was touched.
struct Touch {
  TimePoint when;  // its message was read
  Cause cause = Cause::notified;
  bool bounced = false;  // to be written although the row looks the same, see SynchronizerOptions::write_bounces
};

}  // namespace portsync::core
