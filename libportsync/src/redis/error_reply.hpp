// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/redis/connection_options.hpp>
#include <string>
#include <string_view>

namespace portsync::redis {

// What an error reply means, by its first word, also when a script passes it on. AUTH has its own: see Handshake.
[[nodiscard]] Errc classify(std::string_view error_reply) noexcept;

// EXEC was refused because one of the commands was, while it was queued, or because EXEC itself was.
[[nodiscard]] bool is_exec_abort(std::string_view error_reply) noexcept;

// After such an error the connection is of no use; opened anew later, it may lead elsewhere (the new master).
[[nodiscard]] constexpr bool ends_connection(Errc code) noexcept {
  return code == Errc::readonly || code == Errc::noauth || code == Errc::max_clients;
}

// Such a server may refuse whatever it is asked for ever, and another may have its name by now: after a while it is
// left.
[[nodiscard]] constexpr bool refuses_all(Errc code) noexcept {
  return code == Errc::loading || code == Errc::busy || code == Errc::masterdown || code == Errc::noreplicas;
}

// For people: at most 200 bytes, all of them printable.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace portsync::redis
