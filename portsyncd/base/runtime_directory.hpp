// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace portsyncd {

inline constexpr const char* default_runtime_directory = "/run/portsyncd";

// Returns the first directory of the variable RUNTIME_DIRECTORY, which systemd sets for RuntimeDirectory= and other
// supervisors may set; "" if it is unset.
[[nodiscard]] std::string runtime_directory();

// Returns runtime_directory(), or the default directory, which is created with mode 0755 if it is missing. Throws
// std::system_error, which names the directory.
[[nodiscard]] std::string make_runtime_directory();

}  // namespace portsyncd
