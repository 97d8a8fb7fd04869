// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <portsync/pollable.hpp>

namespace portsync::os {

// Return the time. This is the only place in the library that reads a clock.
[[nodiscard]] TimePoint now() noexcept;
[[nodiscard]] std::chrono::system_clock::time_point wall_time() noexcept;

}  // namespace portsync::os
