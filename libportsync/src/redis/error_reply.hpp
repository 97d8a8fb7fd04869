// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/redis/connection_options.hpp>
#include <string>
#include <string_view>

namespace portsync::redis {

// Returns the meaning of an error reply, by its first word, even if a script passes the error on. Handshake classifies
// the errors of AUTH itself.
[[nodiscard]] Errc classify(std::string_view error_reply) noexcept;

// Returns whether this is EXECABORT: Redis refused EXEC itself, or a command while it queued it.
[[nodiscard]] bool is_exec_abort(std::string_view error_reply) noexcept;

// Returns whether the connection is useless after such an error. A later connection may reach another server (the new
// master).
[[nodiscard]] constexpr bool ends_connection(Errc code) noexcept {
  return code == Errc::readonly || code == Errc::noauth || code == Errc::max_clients;
}

// Returns whether a server with this error may refuse every request for ever. The connection leaves such a server after
// a while, because another server may have its name by then.
[[nodiscard]] constexpr bool refuses_all(Errc code) noexcept {
  return code == Errc::loading || code == Errc::busy || code == Errc::masterdown || code == Errc::noreplicas;
}

// Returns the text for people: at most 200 bytes, all of them printable.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace portsync::redis
