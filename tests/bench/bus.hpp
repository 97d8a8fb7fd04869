// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "process.hpp"
#include "testbed.hpp"

namespace portsync::bench {

// A message bus that lets every user do everything, until its destruction.
class Bus {
 public:
  // Starts the bus and waits until it answers. Throws std::runtime_error if there is no dbus-daemon.
  explicit Bus(const Testbed& bed);
  ~Bus() { process_.terminate(); }

  [[nodiscard]] std::string address() const { return "unix:path=" + path_; }

 private:
  std::string path_;
  Process process_;
};

}  // namespace portsync::bench
