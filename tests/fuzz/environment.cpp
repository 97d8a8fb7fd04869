// SPDX-License-Identifier: Apache-2.0
// Any environment variables, separated by a newline or a NUL. Whatever they contain, the daemon starts with a
// configuration that could stand in a file. Every message is about a variable that exists.
#include "config/environment.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "fuzz/config_promises.hpp"
#include "fuzz/fuzz.hpp"

namespace {

using namespace portsyncd;
using portsync::fuzz::require;

std::vector<std::string_view> variables_in(std::string_view text) {
  constexpr std::string_view ends("\n\0", 2);
  std::vector<std::string_view> variables;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(ends), text.size());
    variables.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return variables;
}

bool are_there(const std::vector<std::string_view>& variables, std::string_view name) {
  return std::any_of(variables.begin(), variables.end(), [name](std::string_view variable) {
    return variable.size() > name.size() && variable.starts_with(name) && variable[name.size()] == '=';
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto variables = variables_in(text);
  const EnvironmentSettings environment = read_environment(variables);
  for (const Problem& problem : environment.problems) {
    require(problem.severity == Problem::Severity::warning, "an unknown variable is no error");
    require(problem.text.starts_with("PORTSYNCD_"), "other programs' variables are theirs");
    portsync::fuzz::require_plain(problem.text);
  }
  Config config;
  for (const Setting& setting : environment.settings) {
    require(are_there(variables, setting.where), "a setting belongs to a variable that exists");
    const auto problem = apply(config, setting);
    if (!problem) continue;
    portsync::fuzz::require_plain(problem->text);
    require(problem->text.starts_with(setting.where + ": "), "a message names its variable");
    require(problem->severity == Problem::Severity::warning, "a variable is never an error");
  }
  portsync::fuzz::require_read_as_shown(config);
  return 0;
}
