// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace portsyncd {

// Finds the known name that somebody meant who wrote another one, if one is near enough to be a slip of the pen.
class NearestName {
 public:
  explicit NearestName(std::string_view written);

  // True when it is the nearest so far. `handicap`: letters that it counts as further off.
  bool consider(std::string_view known, std::size_t handicap = 0);

 private:
  std::string_view written_;
  std::size_t best_;  // what is not nearer than this is no candidate
};

}  // namespace portsyncd
