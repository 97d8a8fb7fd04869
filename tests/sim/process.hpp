// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <portsync/health_monitor.hpp>
#include <portsync/link_source.hpp>
#include <portsync/netlink/link_control.hpp>
#include <portsync/sonic/port_loader.hpp>
#include <portsync/state_sink.hpp>
#include <portsync/synchronizer.hpp>
#include <string>

#include "sim/scenario.hpp"

namespace sim {

// The process under test: libportsync's objects, wired as portsyncd wires them, in mirror or in sonic mode.
class Process {
 public:
  // Called when a link of an earlier swss was set down; it is ignored from now on. The constructor throws what the
  // library's factories throw.
  using OnLinkSetDown = std::function<void(std::int32_t ifindex)>;
  Process(const Setup& setup, const portsync::PortFilter& filter, OnLinkSetDown on_link_set_down);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Returns whether the loop would wake.
  [[nodiscard]] bool ready() const;
  // Runs one turn of the loop. An error is final.
  [[nodiscard]] std::error_code turn();

  [[nodiscard]] portsync::Health health() const { return monitor_->overall(); }
  [[nodiscard]] portsync::Synchronizer& sync() noexcept { return *sync_; }
  [[nodiscard]] const portsync::PortFilter& filter() const noexcept { return options_.filter; }
  void set_filter(const portsync::PortFilter& filter);
  void stop();
  // Returns why portsyncd would exit in sonic mode, so that swss restarts as a whole; "" if it would not.
  [[nodiscard]] const std::string& ended() const noexcept { return ended_; }
  [[nodiscard]] bool drained() const { return sync_->drained(); }
  [[nodiscard]] std::string describe() const;

 private:
  void make_loader(const Setup& setup);
  void on_loader_event(const portsync::sonic::LoaderEvent& event);
  void set_condition(portsync::Verdict verdict, const std::string& reason);

  portsync::SynchronizerOptions options_;
  OnLinkSetDown on_link_set_down_;
  std::unique_ptr<portsync::HealthMonitor> monitor_;
  std::unique_ptr<portsync::LinkSource> source_;
  std::unique_ptr<portsync::netlink::LinkControl> link_control_;
  std::unique_ptr<portsync::sonic::PortLoader> loader_;  // sonic mode
  std::unique_ptr<portsync::StateSink> sink_;
  std::unique_ptr<portsync::Synchronizer> sync_;
  std::string ended_;
};

// Returns the address of the setup's server.
[[nodiscard]] std::string server_address(const Setup& setup);
constexpr const char* server_name = "redis.switch";

}  // namespace sim
