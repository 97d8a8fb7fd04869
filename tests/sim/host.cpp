// SPDX-License-Identifier: Apache-2.0
#include "sim/host.hpp"

#include <sys/signalfd.h>
#include <ucontext.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sim {

ssize_t OpenFile::read(void* data, std::size_t size) {
  const std::size_t count = std::min(size, node->bytes.size() - std::min(at, node->bytes.size()));
  std::memcpy(data, node->bytes.data() + at, count);
  at += count;
  return static_cast<ssize_t>(count);
}

ssize_t SignalFile::read(void* data, std::size_t size) {
  signalfd_siginfo what{};
  if (!pending) return -EAGAIN;
  what.ssi_signo = static_cast<std::uint32_t>(number);
  what.ssi_pid = 1;
  std::memcpy(data, &what, std::min(size, sizeof what));
  pending = false;
  return sizeof what;
}

// As an editor or a package does: another file under the name. A process that has the old file open keeps it.
void Host::write_file(const std::string& path, std::string text) {
  auto node = std::make_shared<FileNode>();
  node->bytes = std::move(text);
  node->modified = world_.now();
  files[path] = std::move(node);
}

const char* Host::variable(std::string_view name) const {
  for (const std::string& variable : environment) {
    if (variable.size() > name.size() && variable[name.size()] == '=' && variable.compare(0, name.size(), name) == 0) {
      return variable.c_str() + name.size() + 1;
    }
  }
  return nullptr;
}

bool Host::send_signal(int number) {
  bool taken = false;
  for (const auto& file : signal_files) {
    const std::shared_ptr<SignalFile> open = file.lock();
    if (open && open->number == number) taken = open->pending = true;
  }
  return taken;
}

void Host::ask(Request request) {
  const std::shared_ptr<EventFile> socket = control_socket.lock();
  if (!socket) return;  // refused
  requests.push_back(std::move(request));
  const std::uint64_t one = 1;
  socket->write(&one, sizeof one);
}

// ---- the stack

MainThread* MainThread::current_ = nullptr;

struct MainThread::Stack {
  static constexpr std::size_t bytes = 1024 * 1024;
  // One process runs at a time, and each of thousands of runs has several.
  static char* memory() {
    static const std::unique_ptr<char[]> stack(new char[bytes]);
    return stack.get();
  }
  ucontext_t context{};
  ucontext_t caller{};
};

MainThread::MainThread() : stack_(std::make_unique<Stack>()) {}

MainThread::~MainThread() {
  kill();
}

void MainThread::start(std::function<int()> run) {
  assert(current_ == nullptr);
  current_ = this;
  running_ = true;
  run_ = std::move(run);
  ::getcontext(&stack_->context);
  stack_->context.uc_stack.ss_sp = Stack::memory();
  stack_->context.uc_stack.ss_size = Stack::bytes;
  ::makecontext(&stack_->context, &MainThread::main, 0);
  resume();
}

void MainThread::main() {
  MainThread& self = *current_;
  try {
    self.status_ = self.run_();
  } catch (const Killed&) {
  }
  self.run_ = nullptr;
  self.running_ = false;
  ::swapcontext(&self.stack_->context, &self.stack_->caller);
}

void MainThread::resume() {
  ::swapcontext(&stack_->caller, &stack_->context);
  if (!running_) current_ = nullptr;
}

bool MainThread::ready() const {
  return running_ && waits_for_ && waits_for_->ready() != 0;
}

void MainThread::wait(std::shared_ptr<EpollFile> set) {
  waits_for_ = std::move(set);
  ::swapcontext(&stack_->context, &stack_->caller);
  waits_for_ = nullptr;
  if (killed_) throw Killed();
}

void MainThread::kill() {
  if (!running_) return;
  killed_ = true;
  resume();
}

}  // namespace sim
