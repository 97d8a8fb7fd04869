// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <portsync/redis/state_sink.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/cpp/sink_harness.hpp"

namespace portsync::test {

// Returns options with short times, so that a failure shows soon, and without probes, so that commands can be counted.
inline redis::StateSinkOptions quick_options() {
  redis::StateSinkOptions options;
  options.connection.timeout = std::chrono::milliseconds(2000);
  options.connection.retry_interval = std::chrono::milliseconds(20);
  options.connection.probe_interval = std::chrono::milliseconds(0);
  return options;
}

inline PortRecord port_record(const std::string& port, const std::string& oper, bool index = true) {
  PortRecord record{port, {{"state", "ok"}, {"netdev_oper_status", oper}, {"admin_status", "up"}, {"mtu", "9100"}}};
  if (index) record.fields.push_back({"@index", oper});
  return record;
}

// Puts ports with their oper state in one batch, and waits for the results.
inline void store(SinkHarness& harness, const std::vector<std::pair<std::string, std::string>>& ports,
                  bool index = true) {
  const std::size_t before = harness.observer.results.size();
  for (const auto& [port, oper] : ports) {
    const Revision revision = ++harness.revision;
    if (harness.sink->put(port_record(port, oper, index), nullptr, revision)) throw std::runtime_error("put");
  }
  if (harness.sink->flush()) throw std::runtime_error("flush");
  if (!harness.run_until_results(before + ports.size())) throw std::runtime_error("no results");
}

inline void erase(SinkHarness& harness, const std::vector<std::string>& ports) {
  const std::size_t before = harness.observer.results.size();
  for (const auto& port : ports) {
    if (harness.sink->erase(port, ++harness.revision)) throw std::runtime_error("erase");
  }
  if (harness.sink->flush()) throw std::runtime_error("flush");
  if (!harness.run_until_results(before + ports.size())) throw std::runtime_error("no results");
}

}  // namespace portsync::test
