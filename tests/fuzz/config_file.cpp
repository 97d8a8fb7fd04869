// SPDX-License-Identifier: Apache-2.0
// A configuration file of any bytes: every message is one that a terminal can take and names a line of
// it; and a file without errors gives a configuration
// that, shown as TOML, is read as the same again.
#include "config_file.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "config.hpp"
#include "fuzz/fuzz.hpp"

namespace {

using namespace portsyncd;
using portsync::fuzz::require;

// Takes "NUMBER:" off the front; 0 when there is none.
std::size_t take_number(std::string_view& text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != ':') return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return number;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

void require_place(std::string_view message, std::size_t lines) {
  require(message.starts_with("f:"), "a message begins with the file");
  message.remove_prefix(2);
  const std::size_t line = take_number(message);
  require(line >= 1 && line <= lines, "a message names a line of the file");
  require(take_number(message) >= 1, "a message names a column");
  require(message.size() > 1 && message[0] == ' ', "a message says something");
  require(std::none_of(message.begin(), message.end(), is_control), "a message is one line of plain text");
}

struct Loaded {
  Config config;
  std::vector<Problem> problems;
};

Loaded load(const std::string& text) {
  ConfigFile file = parse_config(text, "f");
  Loaded loaded;
  loaded.problems = std::move(file.problems);
  for (const Setting& setting : file.settings) {
    if (auto problem = apply(loaded.config, setting)) loaded.problems.push_back(std::move(*problem));
  }
  return loaded;
}

// What is not at its default: the whole takes toml11 as long as a hundred short files. That every default can be read
// is config_file_test's.
std::string shown(const Config& config) {
  std::string text;
  std::string_view section;
  for (const Key& key : keys()) {
    if (value_of(config, key) == value_of({}, key)) continue;
    if (section != key.section) text += "[" + std::string(section = key.section) + "]\n";
    text += std::string(key.name) + " = " + to_toml(value_of(config, key)) + "\n";
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  const Loaded first = load(text);
  for (const Problem& problem : first.problems) require_place(problem.text, lines);
  if (any_error(first.problems)) return 0;
  const Loaded second = load(shown(first.config));
  require(!any_error(second.problems), "what is shown is a good file");
  for (const Key& key : keys()) {
    require(value_of(first.config, key) == value_of(second.config, key), "a value shown is read as the same");
  }
  return 0;
}
