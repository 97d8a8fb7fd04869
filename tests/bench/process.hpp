// SPDX-License-Identifier: Apache-2.0
// Other processes, from outside.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace portsync::bench {

// A child process that ends with this one.
class Process {
 public:
  // `processor`: where it may run; -1 = anywhere.
  explicit Process(int processor = -1) : processor_(processor) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  void exec(std::vector<std::string> words, const std::vector<std::string>& environment, const std::string& output);
  // Runs a function of this program.
  void fork(const std::function<void()>& function);

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  // Returns when the child called exec(3). Both processes share the clock.
  [[nodiscard]] std::chrono::steady_clock::time_point started() const noexcept { return started_; }
  [[nodiscard]] bool ended();

  void stop();    // SIGSTOP; returns when it is stopped
  void resume();  // SIGCONT
  void signal(int number) const;
  // SIGTERM, or SIGKILL if that does not help in time.
  void terminate();

  [[nodiscard]] std::uint64_t cpu_ns() const;              // of all threads that live
  [[nodiscard]] std::uint64_t voluntary_switches() const;  // how often it went to sleep, which is once for each wake-up
  [[nodiscard]] std::uint64_t rss_kb() const;
  [[nodiscard]] std::uint64_t peak_rss_kb() const;

 private:
  void in_child() const;
  [[nodiscard]] std::uint64_t status(const std::string& path, const std::string& key) const;

  int processor_;
  pid_t pid_ = -1;
  std::chrono::steady_clock::time_point started_;
};

[[nodiscard]] std::string read_file(const std::string& path);

// Restricts the thread to one processor.
void pin(int processor);

// Returns how many system calls the process makes while the function runs, counted by strace; std::nullopt without
// strace.
[[nodiscard]] std::optional<std::uint64_t> count_system_calls(const Process& process,
                                                              const std::function<void()>& function);

}  // namespace portsync::bench
