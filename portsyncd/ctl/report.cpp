// SPDX-License-Identifier: Apache-2.0
#include "ctl/report.hpp"

#include <array>
#include <cstdio>
#include <ctime>

#include "ctl/table.hpp"

namespace portsyncctl {
namespace {

constexpr std::int64_t second = 1000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;

// Returns "2026-01-31 23:59:59".
std::string local_time(std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / second;
  std::tm parts{};
  std::array<char, 64> text{};
  if (::localtime_r(&seconds, &parts) == nullptr) return "0000-00-00 00:00:00";
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts)};
}

std::string date(UnixMs time, const Style& style) {
  if (!time) return "never";
  return local_time(*time) + " (" + ago(time, style.now_unix_ms) + ")";
}

std::string or_dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string or_dash(std::optional<std::int64_t> number) {
  return number ? std::to_string(*number) : "-";
}

std::string counted(std::int64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string words(const Health& health) {
  return health.verdict + (health.reason.empty() ? "" : ": " + health.reason);
}

Colour colour_of(const Health& health) {
  if (health.verdict == "Healthy") return Colour::green;
  return health.verdict == "Degraded" ? Colour::yellow : Colour::red;
}

Cell up_or_down(const std::string& state) {
  return {state, state == "up" ? Colour::green : Colour::red};
}

Cell yes_or_no(const std::optional<bool>& yes) {
  if (!yes) return {"not known", Colour::yellow};
  return {*yes ? "yes" : "no", *yes ? Colour::none : Colour::yellow};
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

// "Name:  value" lines with the names right-aligned.
class Properties {
 public:
  void add(const char* name, Cell value) {
    table_.add({Cell(std::string(name) + ":", Colour::bold), std::move(value)});
  }
  [[nodiscard]] std::string text(const Style& style) const { return table_.text(style.coloured); }

 private:
  Table table_{{">", ""}};
};

std::string short_name(const std::string& field) {
  if (field == "netdev_oper_status") return "oper";
  return field == "admin_status" ? "admin" : field;
}

std::string row_now(const PortAnswer& port) {
  if (!port.row_error.empty()) return "not read: " + port.row_error;
  std::string text;
  for (const auto& [name, value] : port.row.value_or(Fields())) {
    if (name != "state") text += (text.empty() ? "" : ", ") + short_name(name) + " " + value;
  }
  return text.empty() ? "none" : text;
}

std::string value_before(const Event& event, const std::string& field) {
  for (const auto& [name, value] : *event.row_before) {
    if (name == field) return value;
  }
  return "-";
}

std::string row_words(const Event& event) {
  if (!event.row_now) return "row removed";
  std::string text;
  for (const auto& [name, value] : *event.row_now) {
    const std::string before = event.row_before ? value_before(event, name) : "";
    if (event.row_before && before == value) continue;
    if (!text.empty()) text += ", ";
    (text += short_name(name)) += ' ';
    if (event.row_before) (text += before) += " -> ";
    text += value;
  }
  if (text.empty()) return "written again";
  return event.row_before ? text : "row " + text;
}

std::string milliseconds(std::int64_t us) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f ms", static_cast<double>(us) / 1000);
  return text.data();
}

std::string event_words(const Event& event, const Style& style) {
  if (event.name == "port_changed") {
    return event.port + "  " + row_words(event) + "  (" + event.cause + ", " + milliseconds(event.latency_us) + ")";
  }
  if (event.name == "health_changed") {
    const std::string now = words(event.health_now);
    return words(event.health_before) + " -> " + (style.coloured ? paint(now, colour_of(event.health_now)) : now);
  }
  if (event.name == "resynchronized") {
    return "links listed: " + counted(event.count, "port") + " (" + event.cause + ")";
  }
  if (event.name == "store_changed") return event.open ? "store connected" : "store not connected";
  if (event.name == "dropped") return counted(event.count, "event") + " not shown: they came too fast";
  return event.name;
}

}  // namespace

std::string duration(std::int64_t ms) {
  if (ms < second) return std::to_string(ms) + " ms";
  if (ms < 10 * second) return std::to_string(ms / second) + "." + std::to_string(ms % second / 100) + " s";
  if (ms < 2 * minute) return std::to_string(ms / second) + " s";
  if (ms < 2 * hour) return std::to_string(ms / minute) + " min";
  if (ms < 2 * day) return std::to_string(ms / hour) + " h";
  return std::to_string(ms / day) + " days";
}

std::string ago(UnixMs time, std::int64_t now_unix_ms) {
  if (!time) return "never";
  const std::int64_t ms = now_unix_ms - *time;
  if (ms < second) return "now";
  return (ms < minute ? std::to_string(ms / second) + " s" : duration(ms)) + " ago";
}

std::string report(const StatusAnswer& status, const Style& style) {
  Properties properties;
  properties.add("Health", {words(status.health), colour_of(status.health)});
  properties.add("Store", {status.store + (status.store_open ? ", connected" : ", not connected") +
                               (status.store_open || status.store_error.empty() ? "" : ": " + status.store_error),
                           status.store_open ? Colour::none : Colour::red});
  properties.add("Ports", counted(status.ports, "port") + ", " + counted(status.pending, "row") + " pending, " +
                              counted(status.flaps, "flap"));
  properties.add("Links listed", date(status.last_resync, style));
  properties.add("Rows compared", date(status.compared, style));
  properties.add("Started", date(status.started, style));
  properties.add("Version", status.version + ", " + status.mode + " mode, PID " + std::to_string(status.pid));
  properties.add("Log level", status.log_level);
  return properties.text(style);
}

std::string report(const std::vector<PortAnswer>& ports, const Style& style) {
  Table table({"NAME", ">IFINDEX", "ADMIN", "OPER", ">MTU", "MAC", "MASTER", ">FLAPS/MIN", ">FLAPS/H", ">FLAPS",
               "LAST CHANGE", "IN SYNC"});
  for (const PortAnswer& port : ports) {
    table.add({port.name, std::to_string(port.ifindex), up_or_down(port.admin), up_or_down(port.oper),
               or_dash(port.mtu), or_dash(port.mac), or_dash(port.master), std::to_string(port.flaps_last_minute),
               std::to_string(port.flaps_last_hour), std::to_string(port.flaps),
               ago(port.last_change, style.now_unix_ms), yes_or_no(port.in_sync)});
  }
  if (!style.on_terminal || ports.empty()) return table.text(style.coloured);
  return table.text(style.coloured) + "Rows read back and compared: " + ago(ports[0].compared, style.now_unix_ms) +
         "\n";
}

std::string report(const PortAnswer& port, const Style& style) {
  Properties properties;
  properties.add("Name", port.name);
  properties.add("Alternative names", or_dash(joined(port.alternative_names)));
  properties.add("Physical port", or_dash(port.phys_port_name));
  properties.add("Ifindex", std::to_string(port.ifindex));
  properties.add("Kind", or_dash(port.kind));
  properties.add("Admin", up_or_down(port.admin));
  properties.add("Oper", up_or_down(port.oper));
  properties.add("Operstate", port.operstate);
  properties.add("MTU", or_dash(port.mtu));
  properties.add("MAC", or_dash(port.mac));
  properties.add("Master", or_dash(port.master) + (port.slave_kind.empty() ? "" : " (" + port.slave_kind + ")"));
  properties.add("Flaps", std::to_string(port.flaps) + " (" + std::to_string(port.flaps_last_minute) +
                              " in the last minute, " + std::to_string(port.flaps_last_hour) + " in the last hour)");
  properties.add("Longest outage", port.longest_outage_ms == 0 ? "none" : duration(port.longest_outage_ms));
  properties.add("Last change", date(port.last_change, style));
  properties.add("Carrier changes", or_dash(port.carrier_changes) + " (" + or_dash(port.carrier_up_count) + " up, " +
                                        or_dash(port.carrier_down_count) + " down)");
  properties.add("Row, read now", row_now(port));
  properties.add("In sync", yes_or_no(port.in_sync));
  return properties.text(style);
}

std::string report(const HealthAnswer& answer, const Style& style) {
  const std::string now = words(answer.health);
  std::string text = (style.coloured ? paint(now, colour_of(answer.health)) : now) + "\n";
  Table table({"", "", ""});
  for (const Transition& transition : answer.history) {
    table.add({local_time(transition.time.value_or(0)),
               words(transition.before),
               {"-> " + words(transition.now), colour_of(transition.now)}});
  }
  return text + table.text(style.coloured);
}

std::string report(const Counters& counters, const Style& style) {
  Table table({"", ">"});
  for (const auto& [name, value] : counters) table.add({name, std::to_string(value)});
  return table.text(style.coloured);
}

std::string report(const Event& event, const Style& style) {
  const std::int64_t time = event.time.value_or(0);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03d", static_cast<int>(time % second));
  return local_time(time).substr(sizeof "2026-01-31") + fraction.data() + "  " + event_words(event, style) + "\n";
}

}  // namespace portsyncctl
