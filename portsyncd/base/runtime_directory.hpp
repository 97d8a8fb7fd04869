// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace portsyncd {

inline constexpr const char* default_runtime_directory = "/run/portsyncd";

// The first of RUNTIME_DIRECTORY, which systemd sets for RuntimeDirectory= and others may; "" without it.
[[nodiscard]] std::string runtime_directory();

// The same, and without it the default one; made (0755) when it is not there. Throws std::system_error that names it.
[[nodiscard]] std::string make_runtime_directory();

}  // namespace portsyncd
