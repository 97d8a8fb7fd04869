// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace portsyncctl {

enum class Colour : std::uint8_t { none, bold, red, green, yellow };

// Returns the text in the colour, with the terminal's escape sequences.
[[nodiscard]] std::string paint(std::string text, Colour colour);

struct Cell {
  Cell(std::string words, Colour words_colour = Colour::none) : text(std::move(words)), colour(words_colour) {}
  std::string text;
  Colour colour;
};

// A table whose columns are as wide as their widest cells. A heading that begins with ">" right-aligns its column.
class Table {
 public:
  // Omits the line of headings if all are empty.
  explicit Table(const std::vector<std::string>& headings);

  void add(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::string text(bool coloured) const;

 private:
  std::vector<bool> to_the_right_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace portsyncctl
