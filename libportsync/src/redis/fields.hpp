// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

namespace portsync::redis {

// The fields of a row that we write, in the projection's order.
inline constexpr std::string_view state_field = "state";
inline constexpr std::string_view oper_field = "netdev_oper_status";
inline constexpr std::string_view admin_field = "admin_status";
inline constexpr std::string_view mtu_field = "mtu";
inline constexpr std::array<std::string_view, 4> own_fields{state_field, oper_field, admin_field, mtu_field};

// Not a field in Redis, but the port's entry in the bare hash `table`. The record contains it so that it is compared
// like a field.
inline constexpr std::string_view index_field = "@index";

}  // namespace portsync::redis
