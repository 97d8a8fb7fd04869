// SPDX-License-Identifier: Apache-2.0
// A stand-in for orchagent that pops what is staged in PORT_TABLE as soon as it receives a notification.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace portsync::bench {

class Orchagent {
 public:
  // Has subscribed when it returns.
  explicit Orchagent(const std::string& redis_path);
  ~Orchagent();
  Orchagent(const Orchagent&) = delete;
  Orchagent& operator=(const Orchagent&) = delete;

  // Returns when PortConfigDone was popped. Throws if it was not within `limit`.
  [[nodiscard]] std::chrono::steady_clock::time_point wait_port_config_done(std::chrono::milliseconds limit);

 private:
  void run(const std::string& redis_path);

  std::atomic<bool> subscribed_{false};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::optional<std::chrono::steady_clock::time_point> done_;
  std::string trouble_;
  std::thread thread_;
};

}  // namespace portsync::bench
