// SPDX-License-Identifier: Apache-2.0
// systemd's journal, by its own protocol. The only file that knows sd-journal; there is none without libsystemd.
#pragma once

#include <string_view>

namespace portsyncd::journal {

// A journal takes lines on this system. sd_journal_sendv(3) itself says nothing where there is none.
[[nodiscard]] bool available() noexcept;

// `priority`: syslog's, 0 to 7.
void send(int priority, std::string_view text);

}  // namespace portsyncd::journal
