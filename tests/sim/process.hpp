// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <portsync/health_monitor.hpp>
#include <portsync/synchronizer.hpp>
#include <string>
#include <system_error>

#include "sim/scenario.hpp"

namespace sim {

// The process under test: libportsync's objects alone, or portsyncd's App with them.
class Process {
 public:
  // Called when a link of an earlier swss was set down; it is ignored from now on.
  using OnLinkSetDown = std::function<void(std::int32_t ifindex)>;

  Process() = default;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  virtual ~Process() = default;

  // Returns whether the loop would wake.
  [[nodiscard]] virtual bool ready() const = 0;
  // Runs one turn of the loop. An error is final.
  [[nodiscard]] virtual std::error_code turn() = 0;

  // Returns std::nullopt while it waits and has no rows yet.
  [[nodiscard]] virtual std::optional<portsync::Health> health() const = 0;
  virtual void set_filter(const portsync::PortFilter& filter) = 0;
  virtual void resync(bool force) = 0;
  virtual void audit(portsync::Scope scope) = 0;
  virtual void stop() = 0;
  [[nodiscard]] virtual bool stopped() const = 0;  // it has written all that it can write
  // Returns why it has exited by itself, so that swss restarts as a whole; "" if it has not.
  [[nodiscard]] const std::string& ended() const noexcept { return ended_; }
  // Returns what it has said that is not true; "" if nothing.
  [[nodiscard]] const std::string& lie() const noexcept { return lie_; }
  [[nodiscard]] virtual std::string describe() const = 0;

 protected:
  std::string ended_;
  std::string lie_;
};

// Throw what the library's factories throw.
[[nodiscard]] std::unique_ptr<Process> make_library_process(const Setup& setup, const portsync::PortFilter& filter,
                                                            Process::OnLinkSetDown on_link_set_down);
[[nodiscard]] std::unique_ptr<Process> make_app_process(const Setup& setup, const portsync::PortFilter& filter,
                                                        Process::OnLinkSetDown on_link_set_down);

// Returns the address of the setup's server.
[[nodiscard]] std::string server_address(const Setup& setup);
constexpr const char* server_name = "redis.switch";

}  // namespace sim
