// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/export.hpp>
#include <system_error>

namespace portsync {

// Errors of the library itself. System calls keep their errno (std::system_category). Errors of libnl and hiredis keep
// their own categories (see netlink/link_source.hpp and redis/connection_options.hpp).
enum class Errc {
  not_supported = 1,  // this object can never do that; a write-only sink returns it from read_back()
  not_started,        // start() was not called
  already_started,    // start() was called twice
  not_open,           // the sink has no connection now; try again after on_open()
  busy,               // an operation of this kind is under way
  no_room,            // more put() and erase() calls than room() allows
  try_again,          // not done, but it may be repeated at once
  closed,             // the descriptor or the peer is permanently gone
};

// Returns the category of portsync::Errc, "portsync".
[[nodiscard]] PORTSYNC_API const std::error_category& error_category() noexcept;

// Lets Errc convert to std::error_code.
[[nodiscard]] inline std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

}  // namespace portsync

template <>
struct std::is_error_code_enum<portsync::Errc> : std::true_type {};
