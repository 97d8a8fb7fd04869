// SPDX-License-Identifier: Apache-2.0
#include "ctl/answer.hpp"

#include <nlohmann/json.hpp>

#include "ctl/error.hpp"
#include "ctl/exit_status.hpp"
#include "ctl/shown.hpp"

namespace portsyncctl {
namespace {

using Json = nlohmann::ordered_json;

// Parses the line and returns the result of `read`. Throws Error if that fails, because another version of portsyncd
// may send other members.
template <typename Read>
auto understand(const std::string& line, Read read) {
  try {
    return read(Json::parse(line));
  } catch (const Json::exception&) {
    throw Error(exit_failed, "portsyncctl does not understand portsyncd's reply: do they have the same version?");
  }
}

std::string text(const Json& json, const char* name) {
  return shown(json.at(name).get<std::string>());
}

std::int64_t integer(const Json& json, const char* name) {
  return json.at(name).get<std::int64_t>();
}

std::optional<std::int64_t> maybe_integer(const Json& json, const char* name) {
  return json.at(name).is_null() ? std::nullopt : std::optional(integer(json, name));
}

Health health_of(const Json& json) {
  return {text(json, "verdict"), text(json, "reason")};
}

std::optional<Fields> row_of(const Json& json) {
  if (json.is_null()) return std::nullopt;
  Fields fields;
  for (const auto& [name, value] : json.items()) fields.emplace_back(shown(name), shown(value.get<std::string>()));
  return fields;
}

PortAnswer port_of(const Json& json) {
  PortAnswer port;
  port.name = text(json, "name");
  port.ifindex = integer(json, "ifindex");
  port.admin = text(json, "admin");
  port.oper = text(json, "oper");
  port.operstate = text(json, "operstate");
  port.mac = text(json, "mac");
  port.master = text(json, "master");
  port.kind = text(json, "kind");
  port.slave_kind = text(json, "slave_kind");
  port.phys_port_name = text(json, "phys_port_name");
  for (const Json& name : json.at("alternative_names")) {
    port.alternative_names.push_back(shown(name.get<std::string>()));
  }
  port.mtu = maybe_integer(json, "mtu");
  port.carrier_changes = maybe_integer(json, "carrier_changes");
  port.carrier_up_count = maybe_integer(json, "carrier_up_count");
  port.carrier_down_count = maybe_integer(json, "carrier_down_count");
  const Json& flaps = json.at("flaps");
  port.flaps_last_minute = integer(flaps, "last_minute");
  port.flaps_last_hour = integer(flaps, "last_hour");
  port.flaps = integer(flaps, "total");
  port.longest_outage_ms = integer(flaps, "longest_outage_ms");
  port.last_change = maybe_integer(flaps, "last_change_unix_ms");
  if (const Json& in_sync = json.at("in_sync"); !in_sync.is_null()) port.in_sync = in_sync.get<bool>();
  if (json.contains("compared_unix_ms")) port.compared = maybe_integer(json, "compared_unix_ms");
  if (json.contains("row")) port.row = row_of(json.at("row"));
  if (json.contains("row_error")) port.row_error = text(json, "row_error");
  return port;
}

void read_change(const Json& json, Event& event) {
  event.port = text(json, "port");
  event.row_before = row_of(json.at("before"));
  event.row_now = row_of(json.at("now"));
  event.cause = text(json, "cause");
  event.count = integer(json, "events");
  event.latency_us = integer(json, "latency_us");
}

int status_of(const std::string& kind) {
  if (kind == "no_such_port") return exit_no_such_port;
  return kind == "access_denied" ? exit_denied : exit_failed;
}

const char* method_of(Command command) {
  switch (command) {
    case Command::status:
      return "status";
    case Command::ports:
      return "ports";
    case Command::port:
      return "port";
    case Command::monitor:
      return "monitor";
    case Command::health:
      return "health";
    case Command::stats:
      return "statistics";
    case Command::resync:
      return "resync";
    case Command::audit:
      return "audit";
    case Command::reload:
      return "reload";
    case Command::log_level:
      return "log_level";
  }
  return "";
}

}  // namespace

std::string request_line(const Options& options) {
  Json json{{"method", method_of(options.command)}};
  if (options.command == Command::ports && !options.argument.empty()) json["pattern"] = options.argument;
  if (options.command == Command::port) json["name"] = options.argument;
  if (options.command == Command::log_level) json["level"] = options.argument;
  if (options.force) json["force"] = true;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

void check(const std::string& line) {
  const auto error = understand(line, [](const Json& json) -> std::optional<Error> {
    if (json.at("ok").get<bool>()) return std::nullopt;
    const Json& said = json.at("error");
    return Error(status_of(said.at("kind").get<std::string>()), text(said, "text"));
  });
  if (error) throw Error(*error);
}

StatusAnswer read_status(const std::string& line) {
  return understand(line, [](const Json& json) {
    const Json& result = json.at("result");
    const Json& store = result.at("store");
    StatusAnswer status;
    status.health = health_of(result.at("health"));
    status.version = text(result, "version");
    status.mode = text(result, "mode");
    status.store = text(store, "name");
    status.store_error = text(store, "last_error");
    status.store_open = store.at("open").get<bool>();
    status.log_level = text(result, "log_level");
    status.pid = integer(result, "pid");
    status.ports = integer(result, "ports");
    status.pending = integer(result, "pending");
    status.flaps = integer(result, "flaps");
    status.started = integer(result, "started_unix_ms");
    status.last_resync = maybe_integer(result, "last_resync_unix_ms");
    if (result.contains("compared_unix_ms")) status.compared = maybe_integer(result, "compared_unix_ms");
    return status;
  });
}

std::vector<PortAnswer> read_ports(const std::string& line) {
  return understand(line, [](const Json& json) {
    std::vector<PortAnswer> ports;
    for (const Json& port : json.at("result")) ports.push_back(port_of(port));
    return ports;
  });
}

PortAnswer read_port(const std::string& line) {
  return understand(line, [](const Json& json) { return port_of(json.at("result")); });
}

HealthAnswer read_health(const std::string& line) {
  return understand(line, [](const Json& json) {
    HealthAnswer answer{health_of(json.at("result")), {}};
    for (const Json& transition : json.at("result").at("history")) {
      answer.history.push_back(
          {integer(transition, "time_unix_ms"), health_of(transition.at("before")), health_of(transition.at("now"))});
    }
    return answer;
  });
}

Counters read_counters(const std::string& line) {
  return understand(line, [](const Json& json) {
    Counters counters;
    for (const auto& [name, value] : json.at("result").items()) {
      counters.emplace_back(shown(name), value.get<std::int64_t>());
    }
    return counters;
  });
}

Event read_event(const std::string& line) {
  return understand(line, [](const Json& json) {
    Event event;
    event.name = text(json, "event");
    event.time = integer(json, "time_unix_ms");
    if (event.name == "port_changed") read_change(json, event);
    if (event.name == "health_changed") {
      event.health_before = health_of(json.at("before"));
      event.health_now = health_of(json.at("now"));
    }
    if (event.name == "resynchronized") {
      event.cause = text(json, "cause");
      event.count = integer(json, "ports");
    }
    if (event.name == "store_changed") event.open = json.at("open").get<bool>();
    if (event.name == "dropped") event.count = integer(json, "dropped");
    return event;
  });
}

std::string result_document(const std::string& line) {
  return understand(line, [](const Json& json) { return json.at("result").dump(2, ' ', true) + "\n"; });
}

std::string event_document(const std::string& line) {
  return understand(line, [](const Json& json) { return json.dump(-1, ' ', true) + "\n"; });
}

}  // namespace portsyncctl
