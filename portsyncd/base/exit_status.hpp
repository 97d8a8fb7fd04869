// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace portsyncd {

// sysexits.h; the units list those that a restart cannot mend in RestartPreventExitStatus=.
inline constexpr int exit_clean = 0;
inline constexpr int exit_unavailable = 69;  // what trying again cannot mend
inline constexpr int exit_temporary = 75;    // sonic mode: Redis lost its data, swss must begin anew
inline constexpr int exit_config = 78;       // bad configuration or command line
inline constexpr int exit_signal = 128;      // + number: a second signal ended it at once

}  // namespace portsyncd
