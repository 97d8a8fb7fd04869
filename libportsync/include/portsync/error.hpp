// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/export.hpp>
#include <system_error>

namespace portsync {

// Conditions of the library itself. System calls keep their errno (std::system_category), libnl and hiredis theirs
// (see netlink/link_source.hpp and redis/connection_options.hpp).
enum class Errc {
  not_supported = 1,  // this object cannot do that, ever; a write-only sink answers read_back() with it
  not_started,        // start() was not called
  already_started,    // start() was called twice
  not_open,           // the sink has no connection now; try again after on_open()
  busy,               // an operation of this kind is under way
  no_room,            // put() or erase() over room()
  try_again,          // not done, and nothing speaks against doing it again at once
  closed,             // the descriptor or peer is gone for good
};

// The category of portsync::Errc, "portsync".
[[nodiscard]] PORTSYNC_API const std::error_category& error_category() noexcept;

// For std::error_code: Errc converts to it.
[[nodiscard]] inline std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

}  // namespace portsync

template <>
struct std::is_error_code_enum<portsync::Errc> : std::true_type {};
