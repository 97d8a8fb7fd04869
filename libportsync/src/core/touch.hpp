// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/link_source.hpp>
#include <portsync/pollable.hpp>

namespace portsync::core {

// When and why a port was touched.
struct Touch {
  TimePoint when;  // when its message was read
  Cause cause = Cause::notified;
  bool bounced = false;  // write the row although it looks the same, see SynchronizerOptions::write_bounces
};

}  // namespace portsync::core
