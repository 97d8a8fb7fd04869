// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace portsyncctl {

inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;        // portsyncd refused or failed
inline constexpr int exit_usage = 2;         // bad command line
inline constexpr int exit_no_such_port = 3;  // no port has the name or matches
inline constexpr int exit_not_there = 4;     // portsyncd does not answer
inline constexpr int exit_denied = 5;        // by portsyncd or by the mode of the socket's file
inline constexpr int exit_degraded = 10;     // health
inline constexpr int exit_unhealthy = 11;    // health

}  // namespace portsyncctl
