// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <portsync/pollable.hpp>

namespace portsync::os {

// The time. The only place of the library that reads a clock.
[[nodiscard]] TimePoint now() noexcept;
[[nodiscard]] std::chrono::system_clock::time_point wall_time() noexcept;

}  // namespace portsync::os
