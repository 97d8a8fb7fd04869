// SPDX-License-Identifier: Apache-2.0
#include "ctl/table.hpp"

#include <algorithm>
#include <utility>

#include "ctl/shown.hpp"

namespace portsyncctl {
namespace {

const char* sequence(Colour colour) {
  switch (colour) {
    case Colour::none:
      return "";
    case Colour::bold:
      return "\x1b[1m";
    case Colour::red:
      return "\x1b[31m";
    case Colour::green:
      return "\x1b[32m";
    case Colour::yellow:
      return "\x1b[33m";
  }
  return "";
}

}  // namespace

std::string paint(std::string text, Colour colour) {
  if (colour == Colour::none) return text;
  return sequence(colour) + std::move(text) + "\x1b[0m";
}

Table::Table(const std::vector<std::string>& headings) {
  std::vector<Cell> cells;
  bool any = false;
  for (const std::string& heading : headings) {
    const bool right = heading.starts_with('>');
    to_the_right_.push_back(right);
    cells.emplace_back(heading.substr(right ? 1 : 0), Colour::bold);
    any |= !cells.back().text.empty();
  }
  if (any) rows_.push_back(std::move(cells));
}

std::string Table::text(bool coloured) const {
  std::vector<std::size_t> widths(to_the_right_.size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i].text));
  }
  std::string text;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width(row[i].text), ' ');
      if (i > 0) text += "  ";
      if (to_the_right_[i]) text += padding;
      text += coloured ? paint(row[i].text, row[i].colour) : row[i].text;
      if (!to_the_right_[i] && i + 1 < row.size()) text += padding;
    }
    text += '\n';
  }
  return text;
}

}  // namespace portsyncctl
