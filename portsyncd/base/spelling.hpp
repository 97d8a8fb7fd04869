// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace portsyncd {

// Finds the known name that a misspelled one stands for, if one is similar enough to be meant.
class NearestName {
 public:
  explicit NearestName(std::string_view written);

  // Returns true if `known` is the nearest name so far. `handicap` is added to its distance, in letters.
  bool consider(std::string_view known, std::size_t handicap = 0);

 private:
  std::string_view written_;
  std::size_t best_;  // the distance that a candidate must be below
};

}  // namespace portsyncd
