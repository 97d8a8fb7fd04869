// SPDX-License-Identifier: Apache-2.0
#include "config/environment.hpp"

#include <strings.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <variant>

#include "base/spelling.hpp"
#include "base/text_check.hpp"

namespace portsyncd {
namespace {

constexpr std::string_view prefix = "PORTSYNCD_";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_any_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [text](std::string_view word) {
    return word.size() == text.size() && ::strncasecmp(word.data(), text.data(), text.size()) == 0;
  });
}

template <typename Number>
std::optional<Value> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Converts the text of a variable to the key's type. Text that cannot be converted stays a string, which the key then
// refuses as it does in a file.
struct Parse {
  std::string_view text;

  Value operator()(const bool*) const {
    if (is_any_of(text, {"true", "1", "yes", "on"})) return true;
    if (is_any_of(text, {"false", "0", "no", "off"})) return false;
    return std::string(text);
  }
  Value operator()(const std::int64_t*) const { return number<std::int64_t>(text).value_or(std::string(text)); }
  Value operator()(const double*) const { return number<double>(text).value_or(std::string(text)); }
  Value operator()(const std::string*) const { return std::string(text); }
  Value operator()(const std::vector<std::string>*) const { return split(text, ','); }
};

// Returns the level in RUST_LOG, an older name: a comma-separated list of directives, each a level or target=level.
std::string_view level_of_rust_log(std::string_view text) {
  std::string_view level;
  for (;;) {
    const std::size_t end = text.find(',');
    const std::string_view directive = trimmed(text.substr(0, end));
    const std::size_t equals = directive.find('=');
    if (equals == std::string_view::npos && level.empty()) level = directive;
    if (directive.substr(0, equals) == "portsyncd" && equals != std::string_view::npos) {
      return trimmed(directive.substr(equals + 1));
    }
    if (end == std::string_view::npos) return level;
    text.remove_prefix(end + 1);
  }
}

// An older name of a key. An empty variable counts as unset, because containers leave out a variable in that way.
struct Alias {
  std::string_view variable;
  std::string_view section;
  std::string_view name;
  std::string_view (*value)(std::string_view text);
};

std::string_view as_it_is(std::string_view text) {
  return text;
}

constexpr std::array weak_aliases{Alias{"RUST_LOG", "logging", "level", level_of_rust_log},
                                  Alias{"REDIS_HOST", "database", "redis_host", as_it_is},
                                  Alias{"REDIS_PORT", "database", "redis_port", as_it_is}};
constexpr Alias log_level{"PORTSYNCD_LOG_LEVEL", "logging", "level", as_it_is};

class EnvironmentReader {
 public:
  explicit EnvironmentReader(const std::vector<std::string_view>& variables) : variables_(variables) {}

  EnvironmentSettings read() {
    for (const Alias& alias : weak_aliases) read_alias(alias);
    for (const Key& key : keys()) {
      const std::string name = variable_name(key);
      if (const auto value = find(name)) add(key, *value, name);
    }
    read_alias(log_level);
    for (const std::string_view variable : variables_) look_for_slips(variable.substr(0, variable.find('=')));
    return std::move(result_);
  }

 private:
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const {
    for (const std::string_view variable : variables_) {
      if (variable.size() > name.size() && variable.starts_with(name) && variable[name.size()] == '=') {
        return variable.substr(name.size() + 1);
      }
    }
    return std::nullopt;
  }

  void read_alias(const Alias& alias) {
    const std::string_view value = alias.value(find(alias.variable).value_or(""));
    if (!value.empty()) add(*find_key(alias.section, alias.name), value, std::string(alias.variable));
  }

  void add(const Key& key, std::string_view text, std::string variable) {
    Config types;
    Value value = std::visit(Parse{text}, key.member(types));
    result_.settings.push_back({&key, std::move(value), std::move(variable), Problem::Severity::warning});
  }

  void look_for_slips(std::string_view name) {
    if (!name.starts_with(prefix) || name == log_level.variable) return;
    std::string nearest;
    NearestName meant(name.substr(prefix.size()));
    for (const Key& key : keys()) {
      std::string known = variable_name(key);
      if (known == name) return;
      if (meant.consider(std::string_view(known).substr(prefix.size()))) nearest = std::move(known);
    }
    const std::string shown =
        is_utf8(name) ? without_control_characters(std::string(name)) : std::string(prefix) + "(not UTF-8)";
    result_.problems.push_back(
        {Problem::Severity::warning,
         shown + ": unknown variable" + (nearest.empty() ? "" : ", did you mean " + nearest + "?")});
  }

  const std::vector<std::string_view>& variables_;
  EnvironmentSettings result_;
};

}  // namespace

EnvironmentSettings read_environment(const std::vector<std::string_view>& variables) {
  return EnvironmentReader(variables).read();
}

std::string variable_name(const Key& key) {
  std::string name = std::string(prefix) + std::string(key.section) + "_" + std::string(key.name);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return name;
}

}  // namespace portsyncd
