// SPDX-License-Identifier: Apache-2.0
// Works with toml11 3.7 and 4.4, which differ in their locations and syntax errors.
#include "config/config_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <toml.hpp>
#include <tuple>
#include <utility>

#include "base/regular_file.hpp"
#include "base/text_check.hpp"
#include "config/value_check.hpp"

namespace portsyncd {
namespace {

constexpr std::size_t most_bytes = 64U * 1024;  // toml11 needs quadratic time: 1 MiB can take a minute

using Severity = Problem::Severity;

struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
};

template <typename Location>
Position position_of(const Location& location) {
  if constexpr (requires { location.first_line_number(); }) {
    return {location.first_line_number(), location.first_column_number()};
  } else {
    return {location.line(), location.column()};
  }
}

template <typename SyntaxError>
Position position_of_error(const SyntaxError& error) {
  if constexpr (requires { error.location(); }) {
    return position_of(error.location());
  } else {
    if (error.errors().empty() || error.errors().front().locations().empty()) return {};
    return position_of(error.errors().front().locations().front().first);
  }
}

std::string place(const std::string& name, Position at) {
  return name + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

// Returns the first line of toml11's message, without "[error] toml::function: ". The other lines show the place in the
// file.
std::string headline(std::string_view what) {
  what = what.substr(0, what.find('\n'));
  if (what.starts_with("[error] ")) what.remove_prefix(8);
  while (what.starts_with("toml::")) {
    const std::size_t end = what.find(": ");
    what.remove_prefix(end == std::string_view::npos ? what.size() : end + 2);
  }
  while (what.ends_with('.')) what.remove_suffix(1);
  return what.empty() ? "bad value" : std::string(what);
}

struct Hint {
  std::string expected;
  std::size_t column = 1;
};

// Recognises the commonest mistakes and returns what was expected, and where. toml11 reports most of them only as
// "unknown value appeared", at the start of the line.
Hint syntax_hint(std::string_view line) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return {"[section] or key = value", 1};
  const std::size_t start = line.find_first_not_of(" \t\r", equals + 1);
  if (start == std::string_view::npos || line[start] == '#') return {"a value after =", equals + 1};
  constexpr std::string_view begins_value = "\"'[{+-0123456789";
  const std::string_view value = line.substr(start);
  if (begins_value.find(value[0]) == std::string_view::npos && !value.starts_with("true") &&
      !value.starts_with("false")) {
    return {"a string in double quotes, a number, true, false or an [array]", start + 1};
  }
  return {"key = value", start + 1};
}

// Returns the error about an integer that does not fit into 64 bits. toml11 4 refuses such an integer, and toml11 3
// reads the nearest one that fits.
std::string too_large(std::string_view integer) {
  return "found the integer " + std::string(integer) + ", expected an integer of at most 64 bits";
}

std::string_view line_of(std::string_view text, std::size_t number) {
  for (; number > 1 && !text.empty(); --number) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return text.substr(0, text.find('\n'));
}

// Collects the settings and problems of a file and sorts them by line, because toml11's tables are unordered.
class FileReader {
 public:
  FileReader(std::string_view text, std::string name) : text_(text), name_(std::move(name)) {}

  void read(const toml::value& root) {
    for (const auto& [section, value] : root.as_table()) read_section(section, value);
  }

  // Adds a problem for toml11's exception. Call it in the exception's handler.
  void read_exception() {
    try {
      throw;
    } catch (const toml::syntax_error& error) {
      Position at = position_of_error(error);
      // toml11 adds a line end that the last line lacks, and may report a position after it.
      at.line = std::min(at.line, static_cast<std::size_t>(std::count(text_.begin(), text_.end(), '\n')) + 1);
      const Hint hint = syntax_hint(line_of(text_, at.line));
      if (at.column <= 1) at.column = hint.column;
      const std::string_view integer = integer_beyond_64_bits(text_at({at.line, hint.column}));
      if (!integer.empty()) return add_problem(Severity::error, {at.line, hint.column}, too_large(integer));
      add_problem(Severity::error, at, headline(error.what()) + ", expected " + hint.expected);
    } catch (const std::exception& error) {
      add_problem(Severity::error, {}, headline(error.what()) + ", expected TOML");
    }
  }

  void fault(const TextFault& fault) { add_problem(Severity::error, {fault.line, fault.column}, fault.what); }

  [[nodiscard]] ConfigFile result() {
    const auto by_position = [](const auto& a, const auto& b) {
      return std::tie(a.first.line, a.first.column) < std::tie(b.first.line, b.first.column);
    };
    std::stable_sort(settings_.begin(), settings_.end(), by_position);
    std::stable_sort(problems_.begin(), problems_.end(), by_position);
    ConfigFile file;
    for (auto& [at, setting] : settings_) file.settings.push_back(std::move(setting));
    for (auto& [at, problem] : problems_) file.problems.push_back(std::move(problem));
    return file;
  }

 private:
  [[nodiscard]] std::string_view text_at(Position at) const {
    const std::string_view line = line_of(text_, at.line);
    return line.substr(std::min(at.column - 1, line.size()));
  }

  void add_problem(Severity severity, Position at, std::string what) {
    // A quoted key may contain any character.
    what = without_control_characters(std::move(what));
    problems_.emplace_back(at, Problem{severity, place(name_, at) + ": " + what});
  }

  void read_section(const std::string& section, const toml::value& value) {
    const Position at = position_of(value.location());
    const auto all = keys();
    const bool known = std::any_of(all.begin(), all.end(), [&](const Key& key) { return key.section == section; });
    if (!value.is_table()) {
      if (known) {
        return add_problem(Severity::error, at, section + ": found a value, expected the section [" + section + "]");
      }
      return add_problem(Severity::warning, at, "unknown key " + section + suggest_key("", section));
    }
    if (!known) {
      return add_problem(Severity::warning, at, "unknown section [" + section + "]" + suggest_section(section));
    }
    for (const auto& [name, member] : value.as_table()) read_key(section, name, member);
  }

  void read_key(const std::string& section, const std::string& name, const toml::value& value) {
    const Position at = position_of(value.location());
    const Key* key = find_key(section, name);
    if (key == nullptr) {
      return add_problem(Severity::warning, at, "unknown key " + section + "." + name + suggest_key(section, name));
    }
    if (value.is_integer()) {
      const std::string_view integer = integer_beyond_64_bits(text_at(at));
      if (!integer.empty()) return add_problem(Severity::error, at, full_name(*key) + ": " + too_large(integer));
    }
    try {
      settings_.emplace_back(at, Setting{key, convert(value), place(name_, at)});
    } catch (const std::invalid_argument& error) {
      add_problem(Severity::error, at, full_name(*key) + ": found " + error.what());
    }
  }

  // Throws std::invalid_argument for a type that no key accepts.
  static Value convert(const toml::value& value) {
    if (value.is_boolean()) return value.as_boolean();
    if (value.is_integer()) return static_cast<std::int64_t>(value.as_integer());
    if (value.is_floating()) return static_cast<double>(value.as_floating());
    if (value.is_string()) return toml::get<std::string>(value);
    if (!value.is_array()) {
      throw std::invalid_argument(value.is_table() ? "a table, expected a value" : "a date or time, expected a value");
    }
    std::vector<std::string> strings;
    for (const toml::value& element : value.as_array()) {
      if (!element.is_string())
        throw std::invalid_argument("an array with other than strings, expected an array of strings");
      strings.push_back(toml::get<std::string>(element));
    }
    return strings;
  }

  std::string_view text_;
  std::string name_;
  std::vector<std::pair<Position, Setting>> settings_;
  std::vector<std::pair<Position, Problem>> problems_;
};

}  // namespace

ConfigFile parse_config(const std::string& text, const std::string& name) {
  FileReader reader(text, name);
  if (const auto fault = check_text(text)) {
    reader.fault(*fault);
    return reader.result();
  }
  try {
    std::istringstream stream(text);
    reader.read(toml::parse(stream, name));
  } catch (const std::exception&) {
    reader.read_exception();
  }
  return reader.result();
}

ConfigFile read_config_file(const std::string& path) {
  try {
    return parse_config(read_regular_file(path, most_bytes), path);
  } catch (const std::system_error& error) {
    ConfigFile file;
    file.found = error.code() != std::errc::no_such_file_or_directory;
    file.problems.push_back({Severity::error, error.what()});
    return file;
  } catch (const std::invalid_argument& error) {
    return {true, {}, {{Severity::error, error.what()}}};
  }
}

}  // namespace portsyncd
