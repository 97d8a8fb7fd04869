// SPDX-License-Identifier: Apache-2.0
// portsyncd's replies as values. In portsyncctl, only the .cpp file uses JSON. Text in the values is safe to print.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/options.hpp"

namespace portsyncctl {

using UnixMs = std::optional<std::int64_t>;  // std::nullopt: never, or unknown
using Fields = std::vector<std::pair<std::string, std::string>>;

struct Health {
  std::string verdict;
  std::string reason;
};

struct Transition {
  UnixMs time;
  Health before;
  Health now;
};

struct HealthAnswer {
  Health health;
  std::vector<Transition> history;
};

struct StatusAnswer {
  Health health;
  std::string version;
  std::string mode;
  std::string store;
  std::string store_error;
  std::string log_level;
  bool store_open = false;
  std::int64_t pid = 0;
  std::int64_t ports = 0;
  std::int64_t pending = 0;
  std::int64_t flaps = 0;
  UnixMs started;
  UnixMs last_resync;
  UnixMs compared;
};

struct PortAnswer {
  std::string name;
  std::int64_t ifindex = 0;
  std::string admin;
  std::string oper;
  std::string operstate;
  std::string mac;
  std::string master;
  std::string kind;
  std::string slave_kind;
  std::string phys_port_name;
  std::vector<std::string> alternative_names;
  std::optional<std::int64_t> mtu;
  std::optional<std::int64_t> carrier_changes;
  std::optional<std::int64_t> carrier_up_count;
  std::optional<std::int64_t> carrier_down_count;
  std::int64_t flaps_last_minute = 0;
  std::int64_t flaps_last_hour = 0;
  std::int64_t flaps = 0;
  std::int64_t longest_outage_ms = 0;
  UnixMs last_change;
  std::optional<bool> in_sync;  // std::nullopt: the row could not be read
  UnixMs compared;              // when the row was compared with the link
  std::optional<Fields> row;    // only in the reply for one port: as read for this reply
  std::string row_error;        // only in the reply for one port: why it was not read
};

using Counters = std::vector<std::pair<std::string, std::int64_t>>;

struct Event {
  std::string name;
  UnixMs time;
  std::string port;
  std::optional<Fields> row_before;  // std::nullopt: no row, or unknown
  std::optional<Fields> row_now;
  Health health_before;
  Health health_now;
  std::string cause;
  std::int64_t count = 0;  // link events, ports or events dropped
  std::int64_t latency_us = 0;
  bool open = false;
};

[[nodiscard]] std::string request_line(const Options& options);

// Throws Error if portsyncd replied with an error, or if the reply is not understood.
void check(const std::string& line);

// Convert a reply that passed check(), or an event.
[[nodiscard]] StatusAnswer read_status(const std::string& line);
[[nodiscard]] std::vector<PortAnswer> read_ports(const std::string& line);
[[nodiscard]] PortAnswer read_port(const std::string& line);
[[nodiscard]] HealthAnswer read_health(const std::string& line);
[[nodiscard]] Counters read_counters(const std::string& line);
[[nodiscard]] Event read_event(const std::string& line);

// Format the result as indented JSON, and an event as one line. Both are ASCII only.
[[nodiscard]] std::string result_document(const std::string& line);
[[nodiscard]] std::string event_document(const std::string& line);

}  // namespace portsyncctl
