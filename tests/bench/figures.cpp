// SPDX-License-Identifier: Apache-2.0
#include "figures.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace portsync::bench {
namespace {

// Formats with three significant digits, and commas between thousands.
std::string number(double value) {
  const double size = std::abs(value);
  std::ostringstream out;
  out << std::fixed << std::setprecision(size >= 100 ? 0 : size >= 10 ? 1 : 2) << value;
  std::string text = out.str();
  const std::size_t digits = std::min(text.find('.'), text.size());
  const std::size_t first = text.front() == '-' ? 1 : 0;
  for (std::size_t i = digits; i > first + 3;) text.insert(i -= 3, ",");
  return text;
}

std::optional<double> ratio(const Figure& figure) {
  if (!figure.floor || *figure.floor == 0) return std::nullopt;
  return figure.value / *figure.floor;
}

// Continuation bytes take no column on the screen.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}
std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string space(width - std::min(width, columns(text)), ' ');
  return right ? space + text : text + space;
}

}  // namespace

double quantile(std::vector<double> values, double part) {
  if (values.empty()) throw std::runtime_error("nothing was measured");
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(values.size())));
  return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

void Report::add(Figure figure) {
  figures_.push_back(std::move(figure));
}

void Report::add_failure(std::string measurement, std::string reason) {
  failures_.push_back({std::move(measurement), std::move(reason)});
}

void Report::print_table(std::ostream& out, const Machine& machine) const {
  out << machine.daemon << " (" << machine.build << "), Linux " << machine.kernel << ", " << machine.processors
      << " processors" << (machine.pinned ? ", pinned" : "") << ", redis " << machine.redis << "\n\n";
  std::vector<std::vector<std::string>> rows{{"figure", "value", "unit", "floor", "ratio", "goal"}};
  for (const Figure& figure : figures_) {
    const auto times = ratio(figure);
    rows.push_back({figure.name, number(figure.value), figure.unit, figure.floor ? number(*figure.floor) : "",
                    times ? number(*times) : "", figure.goal});
  }
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < widths.size(); ++j) {
      out << "| " << padded(rows[i][j], widths[j], j == 1 || j == 3 || j == 4) << ' ';
    }
    out << "|\n";
    if (i > 0) continue;
    for (std::size_t j = 0; j < widths.size(); ++j) {
      out << '|' << std::string(widths[j] + 1, '-') << (j == 1 || j == 3 || j == 4 ? ':' : '-');
    }
    out << "|\n";
  }
  for (const Failure& failure : failures_) out << "\nNOT MEASURED: " << failure.measurement << ": " << failure.reason;
  if (!failures_.empty()) out << '\n';
}

void Report::print_json(std::ostream& out, const Machine& machine) const {
  nlohmann::ordered_json document;
  document["machine"] = {{"kernel", machine.kernel}, {"processors", machine.processors}, {"redis", machine.redis},
                         {"daemon", machine.daemon}, {"build", machine.build},           {"pinned", machine.pinned}};
  document["figures"] = nlohmann::ordered_json::array();
  for (const Figure& figure : figures_) {
    nlohmann::ordered_json entry{{"name", figure.name}, {"value", figure.value}, {"unit", figure.unit}};
    if (figure.floor) entry["floor"] = *figure.floor;
    if (const auto times = ratio(figure)) entry["ratio"] = *times;
    if (!figure.goal.empty()) entry["goal"] = figure.goal;
    document["figures"].push_back(std::move(entry));
  }
  document["not_measured"] = nlohmann::ordered_json::array();
  for (const Failure& failure : failures_) {
    document["not_measured"].push_back({{"name", failure.measurement}, {"reason", failure.reason}});
  }
  out << document.dump(2) << '\n';
}

}  // namespace portsync::bench
