// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace portsyncd::log {

// A value beside a line's text, for programs that search the log by value. Only the journal stores fields, as
// PORTSYNCD_<name>=.
struct Field {
  std::string_view name;
  std::string value;
};
using Fields = std::span<const Field>;

}  // namespace portsyncd::log
