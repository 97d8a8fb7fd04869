// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "core/ring_window.hpp"

namespace portsync::core {

// The last minute, in buckets of 5 s. Anything older than a minute is dropped, and so may be values up to 5 s younger.
template <typename Content>
class RecentWindow : public RingWindow<Content, 12> {
 public:
  RecentWindow() noexcept : RingWindow<Content, 12>(std::chrono::seconds(5)) {}
};

}  // namespace portsync::core
