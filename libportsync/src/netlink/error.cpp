// SPDX-License-Identifier: Apache-2.0
#include <netlink/errno.h>

#include <portsync/netlink/link_source.hpp>
#include <string>

namespace portsync::netlink {
namespace {

class LibnlCategory final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "libnl"; }

  [[nodiscard]] std::string message(int code) const override { return nl_geterror(code); }

  // Maps to std::errc, so that a caller compares errors of libnl and of system calls alike.
  [[nodiscard]] std::error_condition default_error_condition(int code) const noexcept override {
    switch (code) {
      case NLE_AF_NOSUPPORT:
        return std::errc::address_family_not_supported;
      case NLE_PROTO_MISMATCH:
        return std::errc::protocol_not_supported;
      case NLE_NOMEM:
        return std::errc::not_enough_memory;
      case NLE_PERM:
        return std::errc::operation_not_permitted;
      case NLE_NOACCESS:
        return std::errc::permission_denied;
      case NLE_AGAIN:
        return std::errc::resource_unavailable_try_again;
      case NLE_INVAL:
        return std::errc::invalid_argument;
      default:
        return {code, *this};
    }
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const LibnlCategory category;
  return category;
}

}  // namespace portsync::netlink
