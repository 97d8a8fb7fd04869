// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <iterator>
#include <portsync/health_monitor.hpp>
#include <portsync/port_record.hpp>
#include <portsync/synchronizer.hpp>
#include <string>
#include <vector>

namespace portsync::test {

// Stores the events of a Synchronizer.
struct Recorder {
  struct Event {
    SyncEvent::Kind kind;
    std::string sink;
    std::string port;
    std::uint64_t count;
    std::chrono::microseconds latency;
    std::error_code error;
    std::vector<Field> before;  // empty: not known
    std::vector<Field> record;
    std::vector<std::string> fields;
  };

  void operator()(const SyncEvent& event) {
    events.push_back({event.kind, std::string(event.sink), std::string(event.port), event.count, event.latency,
                      event.error, event.before == nullptr ? std::vector<Field>() : event.before->fields,
                      event.record == nullptr ? std::vector<Field>() : event.record->fields,
                      event.fields == nullptr ? std::vector<std::string>() : *event.fields});
  }

  [[nodiscard]] std::vector<Event> of(SyncEvent::Kind kind) const {
    std::vector<Event> found;
    std::copy_if(events.begin(), events.end(), std::back_inserter(found),
                 [kind](const Event& event) { return event.kind == kind; });
    return found;
  }
  [[nodiscard]] std::size_t count(SyncEvent::Kind kind) const { return of(kind).size(); }

  std::vector<Event> events;
};

// Stores the reports that it receives.
class RecordingMonitor final : public HealthMonitor {
 public:
  [[nodiscard]] int fd() const noexcept override { return -1; }
  [[nodiscard]] std::error_code process() override { return {}; }
  void report(const HealthReport& report) override { reports.push_back(report); }
  [[nodiscard]] Health overall() const override { return {}; }
  void set_listener(Listener) override {}
  void set_condition(const std::string&, const Health&) override {}
  void set_options(const HealthOptions&) override {}
  [[nodiscard]] std::vector<HealthTransition> history() const override { return {}; }

  std::vector<HealthReport> reports;
};

}  // namespace portsync::test
