// SPDX-License-Identifier: Apache-2.0
// A configuration file of any bytes. Every message names a line of the file. A file without errors gives a
// configuration that, written as TOML and read again, is the same.
#include "config/config_file.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "fuzz/config_promises.hpp"
#include "fuzz/fuzz.hpp"

namespace {

using namespace portsyncd;
using portsync::fuzz::require;

// Removes "NUMBER:" from the front and returns the number; 0 if there is none.
std::size_t take_number(std::string_view& text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != ':') return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return number;
}

void require_place(std::string_view message, std::size_t lines) {
  require(message.starts_with("f:"), "a message begins with the file's name");
  message.remove_prefix(2);
  const std::size_t line = take_number(message);
  require(line >= 1 && line <= lines, "a message names a line of the file");
  require(take_number(message) >= 1, "a message names a column");
  require(message.size() > 1 && message[0] == ' ', "a message says something");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  ConfigFile file = parse_config(text, "f");
  Config config;
  for (const Setting& setting : file.settings) {
    if (auto problem = apply(config, setting)) file.problems.push_back(std::move(*problem));
  }
  for (const Problem& problem : file.problems) {
    require_place(problem.text, lines);
    portsync::fuzz::require_plain(problem.text);
  }
  if (!any_error(file.problems)) portsync::fuzz::require_read_as_shown(config);
  return 0;
}
