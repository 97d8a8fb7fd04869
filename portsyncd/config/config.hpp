// SPDX-License-Identifier: Apache-2.0
// The settings of an operator, as one struct and one table of keys. All code that reads, checks, overrides or shows
// settings iterates over the table. Only the table knows a key's name, type and range.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace portsyncd {

// The initializers are the defaults. They are defined nowhere else.
struct Config {
  struct Database {
    std::string redis_host = "127.0.0.1";
    std::int64_t redis_port = 6379;
    std::string redis_socket;
    std::string redis_username;
    std::string redis_password_file;
    std::int64_t config_db_number = 4;
    std::int64_t state_db_number = 6;
    std::int64_t appl_db_number = 0;
    std::string sonic_db_config = "/var/run/redis/sonic-db/database_config.json";
    std::string name_space;
    std::int64_t connection_timeout_secs = 5;
    std::int64_t retry_interval_secs = 2;
  } database;
  struct Ports {
    std::vector<std::string> match{"Ethernet*"};
    std::string scope = "all";
  } ports;
  struct Sync {
    std::string mode = "mirror";
    std::int64_t audit_interval_secs = 60;
    std::int64_t full_audit_every = 10;
    bool port_index = true;
    std::int64_t heartbeat_secs = 0;
  } sync;
  struct Sonic {
    std::string redis_restart = "stay";
    bool mgmt_port = false;
  } sonic;
  struct Netlink {
    std::int64_t receive_buffer_bytes = 16'777'216;
  } netlink;
  struct Performance {
    std::int64_t max_event_queue = 1000;
    std::int64_t batch_timeout_ms = 100;
    std::int64_t max_latency_us = 10'000;
    double min_success_rate = 99.0;
  } performance;
  struct Health {
    double max_failure_rate_percent = 5.0;
    std::int64_t max_stall_seconds = 10;
    double min_port_sync_rate = 90.0;
    bool enable_watchdog = true;
    std::int64_t watchdog_interval_secs = 15;
  } health;
  struct Logging {
    std::string level = "info";
    std::string target = "auto";
    std::string file;
  } logging;
  struct Dbus {
    std::string enabled = "auto";
  } dbus;
  struct Metrics {
    std::string listen;
  } metrics;
};

using Value = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

struct Key {
  // The format of a string. An empty string needs none.
  struct Format {
    std::string_view words;  // the format in words, for messages
    bool (*fits)(std::string_view text);
  };

  // Points to the key's member; its type is the key's type.
  using Member = std::variant<bool*, std::int64_t*, double*, std::string*, std::vector<std::string>*>;

  enum class Effect : std::uint8_t {
    live,      // takes effect at the start and by a reload
    at_start,  // takes effect at the start; a reload reports that it needs a restart
  };

  std::string_view section;
  std::string_view name;
  Member (*member)(Config& config);
  // Inclusive bounds: of a number's value, of a string's length in bytes, or of an array's number of strings.
  std::int64_t min;
  std::int64_t max;
  std::string_view choices;  // the values of a string, "a|b|c"; "" = any
  Effect effect;
  const Format* format = nullptr;
};

[[nodiscard]] std::span<const Key> keys() noexcept;
[[nodiscard]] const Key* find_key(std::string_view section, std::string_view name) noexcept;

// Returns "section.name".
[[nodiscard]] std::string full_name(const Key& key);

[[nodiscard]] Value value_of(Config config, const Key& key);

// Formats the value as TOML.
[[nodiscard]] std::string to_toml(const Value& value);

// Return the end of an error about an unknown key or section: ", did you mean …?" with the nearest known name, or "".
[[nodiscard]] std::string suggest_key(std::string_view section, std::string_view name);
[[nodiscard]] std::string suggest_section(std::string_view section);

struct Problem {
  enum class Severity : std::uint8_t { warning, error };
  Severity severity = Severity::error;
  std::string text;      // "place: what was found, what was expected"
  bool ignored = false;  // the value is not used
};

// A value that a source (file, environment or option) gives to a key.
struct Setting {
  const Key* key = nullptr;
  Value value;
  std::string where;  // "portsyncd.conf:3:9"; messages and --show-config name it
  // The severity if the value does not fit the key. After a warning the source's value is ignored.
  Problem::Severity on_misfit = Problem::Severity::error;
};

[[nodiscard]] bool any_error(const std::vector<Problem>& problems) noexcept;
// Returns the first error, or nullptr.
[[nodiscard]] const Problem* first_error(const std::vector<Problem>& problems) noexcept;

// Stores the value in `config`. Returns a problem if the value does not fit; the key then keeps its old value. Stores
// "info" for an unknown log level and returns a warning.
[[nodiscard]] std::optional<Problem> apply(Config& config, const Setting& setting);

}  // namespace portsyncd
