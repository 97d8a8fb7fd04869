// SPDX-License-Identifier: Apache-2.0
// What an operator can set, as one struct and one table of keys. Whatever reads, checks, overrides or shows a setting
// walks the table; nothing else knows a key's name, type or range.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace portsyncd {

// The initializers are the defaults, and the only place that has them.
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
  // What a string that is not empty must be like.
  struct Format {
    std::string_view words;  // for people
    bool (*fits)(std::string_view text);
  };

  // Points to the key's member; its type is the key's type.
  using Slot = std::variant<bool*, std::int64_t*, double*, std::string*, std::vector<std::string>*>;

  enum class Effect : std::uint8_t {
    live,      // at the start, and by a reload
    at_start,  // a reload says that it needs a restart
  };

  std::string_view section;
  std::string_view name;
  Slot (*slot)(Config& config);
  // Bounds of a number, both allowed; of a string, its bytes; of an array, its strings.
  std::int64_t min;
  std::int64_t max;
  std::string_view choices;  // "a|b|c", of a string; "" = any
  Effect effect;
  const Format* format = nullptr;
};

[[nodiscard]] std::span<const Key> keys() noexcept;
[[nodiscard]] const Key* find_key(std::string_view section, std::string_view name) noexcept;

// "section.name".
[[nodiscard]] std::string full_name(const Key& key);

[[nodiscard]] Value value_of(Config config, const Key& key);

// As it is written in a TOML file.
[[nodiscard]] std::string to_toml(const Value& value);

// What to say about a key or section that does not exist: ", did you mean …?" with the nearest known name, or "".
[[nodiscard]] std::string suggest_key(std::string_view section, std::string_view name);
[[nodiscard]] std::string suggest_section(std::string_view section);

struct Problem {
  enum class Severity : std::uint8_t { warning, error };
  Severity severity = Severity::error;
  std::string text;      // where: what, what was expected
  bool ignored = false;  // the value was not taken
};

// A value that some source (file, environment, option) gives a key.
struct Setting {
  const Key* key = nullptr;
  Value value;
  std::string where;  // "portsyncd.conf:3:9", for messages and as the value's origin
  // What it is when the value does not fit the key; after a warning it is as if the source had said nothing.
  Problem::Severity on_misfit = Problem::Severity::error;
};

[[nodiscard]] bool any_error(const std::vector<Problem>& problems) noexcept;
// nullptr when there is none.
[[nodiscard]] const Problem* first_error(const std::vector<Problem>& problems) noexcept;

// Gives the key its value, or says why not. After a warning the value, or the default where it is of no use, holds.
[[nodiscard]] std::optional<Problem> apply(Config& config, const Setting& setting);

}  // namespace portsyncd
