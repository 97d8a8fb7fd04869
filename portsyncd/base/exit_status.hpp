// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace portsyncd {

// sysexits.h; the units list those that a restart cannot mend in RestartPreventExitStatus=.
inline constexpr int exit_clean = 0;
inline constexpr int exit_unavailable = 69;  // what trying again cannot mend
inline constexpr int exit_temporary = 75;    // sonic mode: Redis lost its data, swss must begin anew
inline constexpr int exit_config = 78;       // bad configuration or command line
inline constexpr int exit_signal = 128;      // + number: a second signal ended it at once

// What those say that are no crash and no clean end; "" for all others.
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
