// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace portsyncd {

// The values of sysexits.h. The units list those that a restart cannot fix in RestartPreventExitStatus=.
inline constexpr int exit_clean = 0;
inline constexpr int exit_unavailable = 69;  // an error that a restart cannot fix
inline constexpr int exit_temporary = 75;    // sonic mode: Redis lost its data, swss must be restarted
inline constexpr int exit_config = 78;       // bad configuration or command line
inline constexpr int exit_signal = 128;      // + signal number: a second signal ended it at once

// Returns the meaning of a status that is neither a crash nor a clean end; "" for all others.
[[nodiscard]] constexpr std::string_view meaning_of(int status) noexcept {
  switch (status) {
    case exit_unavailable:
      return "nothing to work with";
    case exit_temporary:
      return "Redis lost its data";
    case exit_config:
      return "bad configuration";
    default:
      return "";
  }
}

}  // namespace portsyncd
