// SPDX-License-Identifier: Apache-2.0
#include "sonic/management_ports.hpp"

#include <chrono>
#include <portsync/netlink/link_source.hpp>
#include <portsync/redis/tables.hpp>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/exit_status.hpp"
#include "log/log.hpp"

namespace portsyncd {
namespace {

using namespace std::chrono_literals;
using portsync::LinkEvent;
using portsync::Verdict;
using portsync::redis::FieldValues;

constexpr const char* table = "MGMT_PORT_TABLE";
constexpr const char* field = "oper_status";
constexpr std::string_view prefix = "eth";
constexpr std::size_t receive_buffer_bytes = 1024U * 1024;
constexpr std::chrono::seconds audit_interval = 60s;

portsync::netlink::Options source_options() {
  portsync::netlink::Options options;
  options.receive_buffer_bytes = receive_buffer_bytes;
  return options;
}

bool is_management_port(const portsync::LinkState& link) {
  return link.name.starts_with(prefix);
}

}  // namespace

ManagementPorts::ManagementPorts(EventLoop& loop, portsync::HealthMonitor& monitor,
                                 portsync::redis::ConnectionOptions state_db, std::string separator)
    : loop_(loop),
      monitor_(monitor),
      separator_(std::move(separator)),
      source_(portsync::netlink::make_link_source(source_options())),
      database_(portsync::redis::make_database(std::move(state_db))) {
  loop_.on_readable(source_->fd(), [this] { process(); });
  loop_.on_readable(database_->fd(), [this] { std::ignore = database_->process(); });
  loop_.every(audit_interval, [this] { compare_all(); });
  if (const std::error_code error = source_->start([this](const LinkEvent& event) { on_link(event); })) {
    throw std::system_error(error, "links of management ports");
  }
  std::ignore = database_->start(*this);  // the first start() never fails
}

void ManagementPorts::process() {
  if (const std::error_code error = source_->process()) {
    log::error("Cannot go on: " + error.message());
    loop_.exit(exit_unavailable);
  }
}

void ManagementPorts::on_link(const LinkEvent& event) {
  const bool has_gone = event.kind == LinkEvent::Kind::removed;
  if (event.kind != LinkEvent::Kind::changed && !has_gone) return;
  const bool renamed = event.before != nullptr && event.before->name != event.link->name;
  if (renamed && is_management_port(*event.before)) set(event.before->name, false);
  if (is_management_port(*event.link)) set(event.link->name, !has_gone && event.link->running());
}

void ManagementPorts::set(const std::string& name, bool up) {
  std::string& wanted = wanted_[name];
  if (std::exchange(wanted, up ? "up" : "down") == wanted) return;
  if (stored_.find(name) == stored_.end()) return compare(name);
  write(name, wanted);
}

void ManagementPorts::on_open() {
  compare_all();
}

void ManagementPorts::compare_all() {
  stored_.clear();
  for (const auto& [name, status] : wanted_) compare(name);
}

// Reads the row and writes it only if it differs.
void ManagementPorts::compare(const std::string& name) {
  portsync::redis::TableReader reader(*database_, table, separator_);
  std::ignore = reader.read(name, [this, name](std::error_code error, const FieldValues& fields) {
    if (error) return on_refused(name);
    const std::string* found = portsync::redis::find_field(fields, field);
    const std::string& wanted = wanted_[name];
    if (found != nullptr) stored_[name] = *found;
    if (found == nullptr || *found != wanted) write(name, wanted);
  });
}

void ManagementPorts::write(const std::string& name, const std::string& status) {
  const auto stored = stored_.find(name);
  if (!database_->open() || (stored != stored_.end() && stored->second == status)) return;
  stored_[name] = status;
  portsync::redis::TableWriter writer(*database_, table, separator_);
  std::ignore = writer.set(name, {{field, status}}, [this, name](std::error_code error) {
    if (error) return on_refused(name);
    if (!std::exchange(refusal_, {}).empty()) monitor_.set_condition("management ports", {Verdict::healthy, ""});
  });
}

// Forgets what Redis has. If the connection is open, logs the refusal; the next audit compares the row again. If it was
// lost, all rows are compared when it is open again.
void ManagementPorts::on_refused(const std::string& name) {
  stored_.erase(name);
  if (!database_->open()) return;
  std::string text = "MGMT_PORT_TABLE" + separator_ + name + " is refused: " + database_->last_error();
  if (std::exchange(refusal_, text) == text) return;
  log::warning(text);
  monitor_.set_condition("management ports", {Verdict::degraded, std::move(text)});
}

}  // namespace portsyncd
