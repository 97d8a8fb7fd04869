// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <portsync/export.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace portsync::redis {

// The names in Redis's answer to CLIENT LIST (https://redis.io/docs/latest/commands/client-list), as its clients have
// set them, in its order; a client without one is left out.
[[nodiscard]] PORTSYNC_API std::vector<std::string> client_names(std::string_view client_list);

}  // namespace portsync::redis
