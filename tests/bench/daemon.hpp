// SPDX-License-Identifier: Apache-2.0
// portsyncd itself, started as systemd would start it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "os/descriptor.hpp"
#include "process.hpp"
#include "testbed.hpp"

namespace portsync::bench {

struct DaemonOptions {
  std::string program;
  int processor = -1;
  std::string log_level = "warning";
  std::size_t receive_buffer_bytes = 0;  // 0 = the daemon's default
  std::string bus_address;               // of the system bus that it serves; "" = D-Bus is off
  bool metrics = false;
  std::string sonic_db_config;  // sync.mode = "sonic", with the databases that this file describes
};

class Daemon {
 public:
  // Starts portsyncd. Call wait_ready() next.
  Daemon(const DaemonOptions& options, const Testbed& bed);
  ~Daemon() { process_.terminate(); }

  // Waits for READY=1. Returns the time since exec. Throws if READY=1 does not come.
  std::chrono::steady_clock::duration wait_ready();

  // Returns a counter of the statistics line, which is logged only at level info.
  [[nodiscard]] std::uint64_t statistic(const std::string& name);

  [[nodiscard]] Process& process() noexcept { return process_; }

 private:
  [[nodiscard]] std::string log() const;

  std::string log_path_;
  os::Descriptor notify_;
  Process process_;
};

// The output of "portsyncd --version" and its time, which is the cost of loading the program.
struct VersionRun {
  std::string text;
  std::chrono::steady_clock::duration time{};
};
[[nodiscard]] VersionRun run_version(const DaemonOptions& options, const Testbed& bed);

}  // namespace portsync::bench
