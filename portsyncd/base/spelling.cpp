// SPDX-License-Identifier: Apache-2.0
#include "base/spelling.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace portsyncd {
namespace {

constexpr std::size_t longest_name = 64;  // longer names are not compared

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::array<std::size_t, longest_name + 1> row{};  // distances of a's current prefix to each prefix of b
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

NearestName::NearestName(std::string_view written)
    : written_(written), best_(written.size() > longest_name ? 0 : std::max<std::size_t>(2, written.size() / 3) + 1) {}

bool NearestName::consider(std::string_view known, std::size_t handicap) {
  if (best_ == 0 || known.size() > longest_name) return false;
  const std::size_t distance = edit_distance(written_, known) + handicap;
  if (distance >= best_) return false;
  best_ = distance;
  return true;
}

}  // namespace portsyncd
