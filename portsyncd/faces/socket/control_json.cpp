// SPDX-License-Identifier: Apache-2.0
#include "faces/socket/control_json.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/row_fields.hpp"

namespace portsyncd::control_json {
namespace {

using Json = nlohmann::ordered_json;

constexpr int deepest = 2;  // a request is one object of plain values
// Names have at most 15 bytes. fnmatch() takes 4 ms to match one name with a bracket of 4,000 bytes.
constexpr std::size_t longest_pattern = 64;

struct MethodName {
  std::string_view name;
  Method method;
  std::string_view argument;  // the name of its argument; "" = none
  bool needs_argument = false;
};

constexpr std::array methods{
    MethodName{"status", Method::status, ""},       MethodName{"ports", Method::ports, "pattern"},
    MethodName{"port", Method::port, "name", true}, MethodName{"statistics", Method::statistics, ""},
    MethodName{"health", Method::health, ""},       MethodName{"monitor", Method::monitor, ""},
    MethodName{"resync", Method::resync, "force"},  MethodName{"audit", Method::audit, ""},
    MethodName{"reload", Method::reload, ""},       MethodName{"log_level", Method::log_level, "level", true},
};

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string line_of(const Json& json) {
  return dump(json) + "\n";
}

std::int64_t unix_ms(Control::WallClock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

Json unix_ms_or_null(const std::optional<Control::WallClock::time_point>& time) {
  return time ? Json(unix_ms(*time)) : Json(nullptr);
}

template <typename T>
Json value_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json json_of(const portsync::Health& health) {
  return {{"verdict", to_string(health.verdict)}, {"reason", health.reason}};
}

Json json_of(const portsync::FlapStatistics& flaps) {
  Json last_change = nullptr;
  if (flaps.last_change) last_change = unix_ms(wall_time(*flaps.last_change));
  return {{"last_minute", flaps.last_minute},
          {"last_hour", flaps.last_hour},
          {"total", flaps.total},
          {"longest_outage_ms", flaps.longest_outage.count()},
          {"last_change_unix_ms", std::move(last_change)}};
}

Json json_of(const portsync::PortRecord* record) {
  if (record == nullptr) return nullptr;
  Json fields = Json::object();
  for (const portsync::Field& field : record->fields) {
    if (is_shown(field)) fields[std::string(field.name)] = shown_value(field.value);
  }
  return fields;
}

Json event(const char* name) {
  return {{"event", name}, {"time_unix_ms", unix_ms(Control::WallClock::now())}};
}

ControlError invalid(std::string text) {
  return {ControlError::Kind::invalid_argument, std::move(text)};
}

std::variant<Request, ControlError, Garbage> read_arguments(const Json& json, const MethodName& method) {
  Request request;
  request.method = method.method;
  for (const auto& [key, value] : json.items()) {
    if (key == "method") continue;
    if (key != method.argument) return invalid(std::string(method.name) + " has no argument \"" + key + "\"");
    if (key == "force" ? !value.is_boolean() : !value.is_string()) {
      return invalid(key + ": expected " + (key == "force" ? "true or false" : "a string"));
    }
    if (key == "force") {
      request.force = value.get<bool>();
    } else {
      request.argument = value.get<std::string>();
    }
    if (key == "pattern" && request.argument.size() > longest_pattern) {
      return invalid(key + ": expected at most " + std::to_string(longest_pattern) + " bytes");
    }
  }
  if (method.needs_argument && !json.contains(std::string(method.argument))) {
    return invalid(std::string(method.name) + " needs the argument \"" + std::string(method.argument) + "\"");
  }
  return request;
}

}  // namespace

std::variant<Request, ControlError, Garbage> parse(std::string_view line) {
  bool too_deep = false;
  const auto watch_depth = [&too_deep](int depth, Json::parse_event_t, const Json&) {
    too_deep |= depth >= deepest;
    return !too_deep;
  };
  const Json json = Json::parse(line.begin(), line.end(), watch_depth, false);
  if (json.is_discarded() || too_deep || !json.is_object()) return Garbage{"expected one JSON object a line"};
  const auto name = json.find("method");
  if (name == json.end() || !name->is_string()) return Garbage{"expected a \"method\""};
  const auto& wanted = name->get_ref<const std::string&>();
  const auto* method =
      std::find_if(methods.begin(), methods.end(), [&wanted](const MethodName& known) { return known.name == wanted; });
  if (method == methods.end()) return invalid("no such method: \"" + wanted + "\"");
  return read_arguments(json, *method);
}

std::string text_of(const Control::Status& status) {
  return dump({{"health", json_of(status.health)},
               {"version", status.version},
               {"pid", status.pid},
               {"mode", status.mode},
               {"started_unix_ms", unix_ms(status.started)},
               {"store", {{"name", status.store}, {"open", status.store_open}, {"last_error", status.store_error}}},
               {"ports", status.ports},
               {"pending", status.pending},
               {"flaps", status.flaps},
               {"last_resync_unix_ms", unix_ms_or_null(status.last_resync)},
               {"compared_unix_ms", unix_ms_or_null(status.compared)},
               {"log_level", status.log_level}});
}

std::string text_of(const portsync::PortStatus& port, const std::optional<Control::WallClock::time_point>& compared,
                    const Control::RowCheck* check) {
  const portsync::LinkState& link = *port.link;
  Json json = {{"name", port.name},
               {"ifindex", link.ifindex},
               {"admin", portsync::up_or_down(link.admin_up())},
               {"oper", portsync::up_or_down(link.running())},
               {"operstate", to_string(link.operstate)},
               {"mtu", value_or_null(link.mtu)},
               {"mac", to_string(link.address)},
               {"master", port.master},
               {"in_sync", port.in_sync},
               {"compared_unix_ms", unix_ms_or_null(check != nullptr && check->error.empty() ? check->time : compared)},
               {"flaps", json_of(port.flaps)},
               {"carrier_changes", value_or_null(link.carrier_changes)},
               {"carrier_up_count", value_or_null(link.carrier_up_count)},
               {"carrier_down_count", value_or_null(link.carrier_down_count)},
               {"kind", link.kind},
               {"slave_kind", link.slave_kind},
               {"phys_port_name", link.phys_port_name},
               {"alternative_names", link.alternative_names}};
  if (check == nullptr) return dump(json);
  json["row"] = json_of(check->row);
  json["row_error"] = check->error;
  if (!check->error.empty()) json["in_sync"] = nullptr;  // unknown
  return dump(json);
}

std::string text_of(const Statistics& statistics) {
  Json json = Json::object();
  for (const auto& [name, value] : values_of(statistics)) json[std::string(name)] = value;
  return dump(json);
}

std::string text_of(const portsync::Health& health, const std::vector<Control::Transition>& history) {
  Json transitions = Json::array();
  for (const Control::Transition& transition : history) {
    transitions.push_back({{"time_unix_ms", unix_ms(transition.time)},
                           {"before", json_of(transition.before)},
                           {"now", json_of(transition.now)}});
  }
  Json json = json_of(health);
  json["history"] = std::move(transitions);
  return dump(json);
}

std::string result_line(const std::string& value) {
  return R"({"ok":true,"result":)" + value + "}\n";
}

std::string error_line(std::string_view kind, std::string_view text) {
  return line_of({{"ok", false}, {"error", {{"kind", kind}, {"text", text}}}});
}

std::string error_line(const ControlError& error) {
  using Kind = ControlError::Kind;
  switch (error.kind) {
    case Kind::no_such_port:
      return error_line("no_such_port", error.text);
    case Kind::invalid_argument:
      return error_line("invalid_argument", error.text);
    case Kind::not_possible:
      return error_line("not_possible", error.text);
    case Kind::failed:
      break;
  }
  return error_line("failed", error.text);
}

std::string event_line(const Control::PortChange& change) {
  Json json = event("port_changed");
  json["port"] = change.port;
  json["before"] = json_of(change.before);
  json["now"] = json_of(change.now);
  json["cause"] = to_string(change.cause);
  json["events"] = change.events;
  json["latency_us"] = change.latency.count();
  return line_of(json);
}

std::string event_line(const Control::Transition& transition) {
  Json json = event("health_changed");
  json["before"] = json_of(transition.before);
  json["now"] = json_of(transition.now);
  return line_of(json);
}

std::string resynchronized_line(portsync::Cause cause, std::size_t ports) {
  Json json = event("resynchronized");
  json["cause"] = to_string(cause);
  json["ports"] = ports;
  return line_of(json);
}

std::string store_line(bool open) {
  Json json = event("store_changed");
  json["open"] = open;
  return line_of(json);
}

std::string dropped_line(std::uint64_t events) {
  Json json = event("dropped");
  json["dropped"] = events;
  return line_of(json);
}

}  // namespace portsyncd::control_json
