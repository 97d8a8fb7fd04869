// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/epoll.h>
#include <sys/stat.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/world.hpp"

namespace portsyncd {
class Control;
}
namespace portsync {
struct PortRecord;
}

namespace sim {

struct FileNode {
  std::string bytes;
  mode_t mode = S_IFREG | 0644;
  Time modified = 0;
};

// An open file.
class OpenFile final : public File {
 public:
  explicit OpenFile(std::shared_ptr<FileNode> opened) : node(std::move(opened)) {}
  [[nodiscard]] std::uint32_t ready() const override { return EPOLLIN | EPOLLOUT; }
  ssize_t read(void* data, std::size_t size) override;
  const std::shared_ptr<FileNode> node;
  std::size_t at = 0;
};

// A signalfd of one number.
class SignalFile final : public File {
 public:
  explicit SignalFile(int of) : number(of) {}
  [[nodiscard]] std::uint32_t ready() const override { return pending ? EPOLLIN : 0U; }
  ssize_t read(void* data, std::size_t size) override;
  const int number;
  bool pending = false;
};

// A socket that datagrams are sent from: to systemd.
class DatagramFile final : public File {
 public:
  [[nodiscard]] std::uint32_t ready() const override { return EPOLLOUT; }
};

// Simulates what surrounds portsyncd, except the kernel's links and Redis: files, the service manager, signals, and
// clients of its control socket.
class Host {
 public:
  explicit Host(World& world) : world_(world) {}

  // ---- files; a directory is there when something is in it
  std::map<std::string, std::shared_ptr<FileNode>> files;
  std::set<std::string> directories{"/run"};
  void write_file(const std::string& path, std::string text);
  std::vector<std::shared_ptr<FileNode>> mapped;  // these stay when they have lost their name

  // ---- the process
  std::vector<std::string> environment;
  [[nodiscard]] const char* variable(std::string_view name) const;
  std::int64_t process_id = 100;
  Time process_start = 0;
  // To every signalfd of the number; false: there is none, the signal ends the process.
  bool send_signal(int number);
  std::vector<std::weak_ptr<SignalFile>> signal_files;

  // ---- systemd
  std::function<void(std::string_view message)> on_notification;

  // ---- the log
  std::function<void(int level, std::string_view line)> on_log;

  // ---- the control socket: a request runs in a turn of the loop
  using Request = std::function<void(portsyncd::Control&)>;
  void ask(Request request);
  std::deque<Request> requests;
  std::weak_ptr<EventFile> control_socket;
  portsyncd::Control* control = nullptr;  // while the daemon serves it
  // What a subscriber hears; nullptr: no row.
  std::function<void(std::string_view port, const portsync::PortRecord* before, const portsync::PortRecord* now)>
      on_port_changed;

 private:
  World& world_;
};

// The stack that the daemon's main() runs on: it leaves it when its loop waits, and when it has ended.
class MainThread {
 public:
  struct Killed {};  // what a killed process' epoll_wait() throws, so that its objects go

  MainThread();
  ~MainThread();
  MainThread(const MainThread&) = delete;
  MainThread& operator=(const MainThread&) = delete;

  // Runs `run` until it waits.
  void start(std::function<int()> run);
  // Until it waits again.
  void resume();
  // Whether what it waits for is there.
  [[nodiscard]] bool ready() const;
  [[nodiscard]] bool running() const noexcept { return running_; }
  [[nodiscard]] std::optional<int> status() const noexcept { return status_; }
  void kill();

  // Called by epoll_wait() on this stack.
  void wait(std::shared_ptr<EpollFile> set);
  [[nodiscard]] static MainThread* current() noexcept { return current_; }

 private:
  struct Stack;
  static void main();
  static MainThread* current_;
  std::unique_ptr<Stack> stack_;
  std::function<int()> run_;
  std::shared_ptr<EpollFile> waits_for_;
  std::optional<int> status_;
  bool running_ = false;
  bool killed_ = false;
};

}  // namespace sim
