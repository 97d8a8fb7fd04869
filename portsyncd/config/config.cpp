// SPDX-License-Identifier: Apache-2.0
#include "config/config.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/listen_address.hpp"
#include "base/spelling.hpp"
#include "base/text_check.hpp"
#include "config/value_check.hpp"
#include "log/log.hpp"

namespace portsyncd {
namespace {

using Effect = Key::Effect;

template <auto Section, auto Member>
Key::Member at(Config& config) {
  return &(config.*Section.*Member);
}

constexpr std::int64_t most_bytes = 4096;  // of a string without a bound of its own
constexpr std::int64_t day = 86'400;
constexpr std::string_view any;

using C = Config;
constexpr auto database = &C::database;
constexpr auto performance = &C::performance;
constexpr auto health = &C::health;

constexpr Key::Format listen_format{listen_address_format,
                                    [](std::string_view text) { return parse_listen_address(text).has_value(); }};

constexpr Key::Format host{host_format, [](std::string_view text) { return is_host(std::string(text)); }};

// The order is that of the shipped file and of --show-config.
constexpr std::array table{
    Key{"database", "redis_host", at<database, &C::Database::redis_host>, 1, 253, any, Effect::at_start, &host},
    Key{"database", "redis_port", at<database, &C::Database::redis_port>, 1, 65535, any, Effect::at_start},
    Key{"database", "redis_socket", at<database, &C::Database::redis_socket>, 0, 107, any, Effect::at_start},
    Key{"database", "redis_username", at<database, &C::Database::redis_username>, 0, most_bytes, any, Effect::at_start},
    Key{"database", "redis_password_file", at<database, &C::Database::redis_password_file>, 0, most_bytes, any,
        Effect::at_start},
    Key{"database", "config_db_number", at<database, &C::Database::config_db_number>, 0, 65535, any, Effect::at_start},
    Key{"database", "state_db_number", at<database, &C::Database::state_db_number>, 0, 65535, any, Effect::at_start},
    Key{"database", "appl_db_number", at<database, &C::Database::appl_db_number>, 0, 65535, any, Effect::at_start},
    Key{"database", "sonic_db_config", at<database, &C::Database::sonic_db_config>, 0, most_bytes, any,
        Effect::at_start},
    Key{"database", "namespace", at<database, &C::Database::name_space>, 0, most_bytes, any, Effect::at_start},
    Key{"database", "connection_timeout_secs", at<database, &C::Database::connection_timeout_secs>, 1, 3600, any,
        Effect::at_start},
    Key{"database", "retry_interval_secs", at<database, &C::Database::retry_interval_secs>, 1, 3600, any,
        Effect::at_start},

    Key{"ports", "match", at<&C::ports, &C::Ports::match>, 1, 256, any, Effect::live},
    Key{"ports", "scope", at<&C::ports, &C::Ports::scope>, 0, most_bytes, "all|configured", Effect::at_start},

    Key{"sync", "mode", at<&C::sync, &C::Sync::mode>, 0, most_bytes, "mirror|sonic", Effect::at_start},
    Key{"sync", "audit_interval_secs", at<&C::sync, &C::Sync::audit_interval_secs>, 0, day, any, Effect::live},
    Key{"sync", "full_audit_every", at<&C::sync, &C::Sync::full_audit_every>, 0, 1'000'000, any, Effect::live},
    Key{"sync", "port_index", at<&C::sync, &C::Sync::port_index>, 0, 0, any, Effect::at_start},
    Key{"sync", "heartbeat_secs", at<&C::sync, &C::Sync::heartbeat_secs>, 0, 3600, any, Effect::at_start},

    Key{"sonic", "redis_restart", at<&C::sonic, &C::Sonic::redis_restart>, 0, most_bytes, "stay|end", Effect::at_start},
    Key{"sonic", "mgmt_port", at<&C::sonic, &C::Sonic::mgmt_port>, 0, 0, any, Effect::at_start},

    Key{"netlink", "receive_buffer_bytes", at<&C::netlink, &C::Netlink::receive_buffer_bytes>, 4096, 1'073'741'823, any,
        Effect::at_start},

    Key{"performance", "max_event_queue", at<performance, &C::Performance::max_event_queue>, 1, 1'000'000, any,
        Effect::live},
    Key{"performance", "batch_timeout_ms", at<performance, &C::Performance::batch_timeout_ms>, 0, 60'000, any,
        Effect::live},
    Key{"performance", "max_latency_us", at<performance, &C::Performance::max_latency_us>, 1, 60'000'000, any,
        Effect::live},
    Key{"performance", "min_success_rate", at<performance, &C::Performance::min_success_rate>, 0, 100, any,
        Effect::live},

    Key{"health", "max_failure_rate_percent", at<health, &C::Health::max_failure_rate_percent>, 0, 100, any,
        Effect::live},
    Key{"health", "max_stall_seconds", at<health, &C::Health::max_stall_seconds>, 1, 3600, any, Effect::live},
    Key{"health", "min_port_sync_rate", at<health, &C::Health::min_port_sync_rate>, 0, 100, any, Effect::live},
    Key{"health", "enable_watchdog", at<health, &C::Health::enable_watchdog>, 0, 0, any, Effect::live},
    Key{"health", "watchdog_interval_secs", at<health, &C::Health::watchdog_interval_secs>, 1, 3600, any, Effect::live},

    Key{"logging", "level", at<&C::logging, &C::Logging::level>, 0, most_bytes, any, Effect::live},
    Key{"logging", "target", at<&C::logging, &C::Logging::target>, 0, most_bytes, "auto|journal|syslog|stderr|file",
        Effect::live},
    Key{"logging", "file", at<&C::logging, &C::Logging::file>, 0, most_bytes, any, Effect::live},

    Key{"dbus", "enabled", at<&C::dbus, &C::Dbus::enabled>, 0, most_bytes, "auto|true|false", Effect::at_start},

    Key{"metrics", "listen", at<&C::metrics, &C::Metrics::listen>, 0, most_bytes, any, Effect::at_start,
        &listen_format},
};

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      (result += '\\') += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      constexpr std::string_view digits = "0123456789abcdef";
      ((result += "\\u00") += digits[byte >> 4U]) += digits[byte & 0xfU];
    } else {
      result += c;
    }
  }
  return result += '"';
}

std::string number(double value) {
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  std::string text(buffer.data(), end);
  return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

std::vector<std::string_view> split_choices(std::string_view choices) {
  std::vector<std::string_view> result;
  while (!choices.empty()) {
    const std::size_t bar = std::min(choices.find('|'), choices.size());
    result.push_back(choices.substr(0, bar));
    choices.remove_prefix(std::min(bar + 1, choices.size()));
  }
  return result;
}

bool is_choice(const Key& key, std::string_view text) {
  const auto choices = split_choices(key.choices);
  return choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end();
}

std::string describe_text(std::string_view text) {
  constexpr std::size_t most_shown = 80;
  if (!is_utf8(text)) return "bytes that are not UTF-8";
  if (text.size() <= most_shown) return "the string " + quoted(text);
  std::size_t end = most_shown;
  while ((static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;  // do not cut a character
  return "the string " + quoted(text.substr(0, end)) + " and " + std::to_string(text.size() - end) + " bytes more";
}

std::string describe(const Value& value) {
  return std::visit(Overloaded{
                        [](bool b) { return std::string(b ? "the boolean true" : "the boolean false"); },
                        [](std::int64_t i) { return "the integer " + std::to_string(i); },
                        [](double d) { return "the float " + number(d); },
                        [](const std::string& s) { return describe_text(s); },
                        [](const std::vector<std::string>&) { return std::string("an array"); },
                    },
                    value);
}

std::string from_to(const Key& key) {
  return " from " + std::to_string(key.min) + " to " + std::to_string(key.max);
}

std::string expected_text(const Key& key) {
  if (key.format != nullptr) return std::string(key.format->words);
  if (key.choices.empty()) {
    const std::string bytes =
        key.min > 0 ? from_to(key) + " bytes" : " of at most " + std::to_string(key.max) + " bytes";
    return "a string" + bytes + " without control characters";
  }
  std::string text = "one of";
  for (const std::string_view choice : split_choices(key.choices)) text += " " + quoted(choice);
  return text;
}

std::string expected(const Key& key, const Key::Member& member) {
  return std::visit(
      Overloaded{
          [](bool*) { return std::string("true or false"); },
          [&key](std::int64_t*) { return "an integer" + from_to(key); },
          [&key](double*) { return "a number" + from_to(key); },
          [&key](std::string*) { return expected_text(key); },
          [&key](std::vector<std::string>*) { return "an array of" + from_to(key) + " strings, none of them empty"; },
      },
      member);
}

bool is_plain(std::string_view text) {
  return is_utf8(text) && std::all_of(text.begin(), text.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte >= 0x20 && byte != 0x7f;
         });
}

bool has_format(const Key& key, std::string_view text) {
  return key.format == nullptr || text.empty() || key.format->fits(text);
}

bool within(const Key& key, std::size_t size) {
  return std::cmp_greater_equal(size, key.min) && std::cmp_less_equal(size, key.max);
}

// Assigns the value if it fits the key, else returns false. A float key accepts an integer. A string key with the
// choices "true" and "false" accepts a boolean.
struct Assign {
  const Key& key;
  const Value& value;

  bool operator()(bool* member) const {
    return take(member, [](bool) { return true; });
  }
  bool operator()(std::int64_t* member) const {
    return take(member, [this](std::int64_t i) { return i >= key.min && i <= key.max; });
  }
  bool operator()(double* member) const {
    const auto* integer = std::get_if<std::int64_t>(&value);
    const auto* real = std::get_if<double>(&value);
    if (integer == nullptr && real == nullptr) return false;
    const double d = integer != nullptr ? static_cast<double>(*integer) : *real;
    if (!(d >= static_cast<double>(key.min) && d <= static_cast<double>(key.max))) return false;  // also refuses NaN
    *member = d;
    return true;
  }
  bool operator()(std::string* member) const {
    if (const auto* b = std::get_if<bool>(&value); b != nullptr && !key.choices.empty() && is_choice(key, "true")) {
      *member = *b ? "true" : "false";
      return true;
    }
    return take(member, [this](const std::string& s) {
      return within(key, s.size()) && is_plain(s) && is_choice(key, s) && has_format(key, s);
    });
  }
  bool operator()(std::vector<std::string>* member) const {
    return take(member, [this](const std::vector<std::string>& v) {
      return within(key, v.size()) &&
             std::none_of(v.begin(), v.end(), [](const std::string& s) { return s.empty() || !is_plain(s); });
    });
  }

 private:
  template <typename T, typename Fits>
  bool take(T* member, Fits fits) const {
    const T* given = std::get_if<T>(&value);
    if (given == nullptr || !fits(*given)) return false;
    *member = *given;
    return true;
  }
};

}  // namespace

std::span<const Key> keys() noexcept {
  return table;
}

const Key* find_key(std::string_view section, std::string_view name) noexcept {
  const auto* found = std::find_if(table.begin(), table.end(),
                                   [&](const Key& key) { return key.section == section && key.name == name; });
  return found == table.end() ? nullptr : found;
}

std::string full_name(const Key& key) {
  return std::string(key.section) + "." + std::string(key.name);
}

Value value_of(Config config, const Key& key) {
  return std::visit([](const auto* member) { return Value(*member); }, key.member(config));
}

std::string to_toml(const Value& value) {
  return std::visit(Overloaded{
                        [](bool b) { return std::string(b ? "true" : "false"); },
                        [](std::int64_t i) { return std::to_string(i); },
                        [](double d) { return number(d); },
                        [](const std::string& s) { return quoted(s); },
                        [](const std::vector<std::string>& v) {
                          std::string text = "[";
                          for (const std::string& s : v) (text += text.size() > 1 ? ", " : "") += quoted(s);
                          return text + "]";
                        },
                    },
                    value);
}

std::string suggest_key(std::string_view section, std::string_view name) {
  const Key* nearest = nullptr;
  NearestName meant(name);
  for (const Key& key : table) {
    // A key of another section counts as one letter more distant.
    if (meant.consider(key.name, key.section == section ? 0 : 1)) nearest = &key;
  }
  if (nearest == nullptr) return "";
  if (nearest->section == section) return ", did you mean " + std::string(nearest->name) + "?";
  return ", did you mean " + std::string(nearest->name) + " in [" + std::string(nearest->section) + "]?";
}

std::string suggest_section(std::string_view section) {
  std::string_view nearest;
  NearestName meant(section);
  for (const Key& key : table) {
    if (meant.consider(key.section)) nearest = key.section;
  }
  return nearest.empty() ? "" : ", did you mean [" + std::string(nearest) + "]?";
}

const Problem* first_error(const std::vector<Problem>& problems) noexcept {
  const auto found = std::find_if(problems.begin(), problems.end(),
                                  [](const Problem& problem) { return problem.severity == Problem::Severity::error; });
  return found == problems.end() ? nullptr : &*found;
}

bool any_error(const std::vector<Problem>& problems) noexcept {
  return first_error(problems) != nullptr;
}

std::optional<Problem> apply(Config& config, const Setting& setting) {
  const Key& key = *setting.key;
  const std::string name = setting.where + ": " + full_name(key) + ": ";
  const Key::Member member = key.member(config);
  if (!std::visit(Assign{key, setting.value}, member)) {
    const bool ignored = setting.on_misfit == Problem::Severity::warning;
    return Problem{setting.on_misfit,
                   name + "found " + describe(setting.value) + ", expected " + expected(key, member) +
                       (ignored ? "; ignored" : ""),
                   true};
  }
  if (member == Key::Member(&config.logging.level) && !log::parse_level(config.logging.level)) {
    const std::string text = name + "unknown level " + quoted(config.logging.level) + ", expected " +
                             std::string(log::level_names) + "; using info";
    config.logging.level = "info";
    return Problem{Problem::Severity::warning, text};
  }
  return std::nullopt;
}

}  // namespace portsyncd
