// SPDX-License-Identifier: Apache-2.0
#include "process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "support/cpp/redis_server.hpp"

namespace portsync::bench {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::system_category(), what);
}

std::string proc(pid_t pid) {
  return "/proc/" + std::to_string(pid);
}

template <typename Condition>
bool wait_for(Condition condition, steady_clock::duration limit) {
  for (const auto end = steady_clock::now() + limit; steady_clock::now() < end;) {
    if (condition()) return true;
    std::this_thread::sleep_for(100us);
  }
  return condition();
}

// One value that a child writes and the parent reads.
struct SharedTime {
  SharedTime()
      : value(static_cast<steady_clock::time_point*>(::mmap(
            nullptr, sizeof(steady_clock::time_point), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    if (value == MAP_FAILED) fail("mmap");
  }
  SharedTime(const SharedTime&) = delete;
  SharedTime& operator=(const SharedTime&) = delete;
  ~SharedTime() { ::munmap(value, sizeof *value); }
  steady_clock::time_point* value;
};

}  // namespace

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void pin(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(processor), &set);
  if (::sched_setaffinity(0, sizeof set, &set) < 0) fail("sched_setaffinity");
}

Process::~Process() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::in_child() const {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (processor_ >= 0) pin(processor_);
}

void Process::exec(std::vector<std::string> words, const std::vector<std::string>& environment,
                   const std::string& output) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<std::string> settings = environment;
  std::vector<char*> envp;
  for (auto& setting : settings) envp.push_back(setting.data());
  envp.push_back(nullptr);
  const int log = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) fail(output.c_str());
  const SharedTime time;
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) {
    in_child();
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    *time.value = steady_clock::now();
    ::execvpe(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(log);
  if (!wait_for([&] { return time.value->time_since_epoch().count() != 0 || ended(); }, 5s)) fail("exec");
  started_ = *time.value;
}

void Process::fork(const std::function<void()>& function) {
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ > 0) return;
  try {
    in_child();
    function();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "a child of the bench: %s\n", error.what());
  }
  ::_exit(1);
}

bool Process::ended() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ <= 0;
}

void Process::signal(int number) const {
  if (pid_ <= 0 || ::kill(pid_, number) < 0) throw std::runtime_error("the measured process has ended");
}

void Process::stop() {
  signal(SIGSTOP);
  const auto stopped = [this] {
    const std::string stat = read_file(proc(pid_) + "/stat");
    const auto end = stat.rfind(") ");
    return end != std::string::npos && stat[end + 2] == 'T';
  };
  if (!wait_for(stopped, 5s)) throw std::runtime_error("the measured process does not stop");
}

void Process::resume() {
  signal(SIGCONT);
}

void Process::terminate() {
  if (ended()) return;
  ::kill(pid_, SIGTERM);
  ::kill(pid_, SIGCONT);
  if (wait_for([this] { return ended(); }, 10s)) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::uint64_t Process::cpu_ns() const {
  std::uint64_t sum = 0;
  for (const auto& task : std::filesystem::directory_iterator(proc(pid_) + "/task")) {
    std::uint64_t on_cpu = 0;
    std::ifstream(task.path() / "schedstat") >> on_cpu;
    sum += on_cpu;
  }
  return sum;
}

std::uint64_t Process::status(const std::string& path, const std::string& key) const {
  std::ifstream file(path + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key + ":")) return std::stoull(line.substr(key.size() + 1));
  }
  throw std::runtime_error("no " + key + " in " + path + "/status");
}

std::uint64_t Process::voluntary_switches() const {
  std::uint64_t sum = 0;
  for (const auto& task : std::filesystem::directory_iterator(proc(pid_) + "/task")) {
    sum += status(task.path(), "voluntary_ctxt_switches");
  }
  return sum;
}

std::uint64_t Process::rss_kb() const {
  return status(proc(pid_), "VmRSS");
}
std::uint64_t Process::peak_rss_kb() const {
  return status(proc(pid_), "VmHWM");
}

std::optional<std::uint64_t> count_system_calls(const Process& process, const std::function<void()>& function) {
  const test::TemporaryDirectory directory;
  const std::string summary = directory.file("summary");
  Process strace;
  strace.exec({"strace", "-f", "-c", "-qq", "-o", summary, "-p", std::to_string(process.pid())},
              {"PATH=" + std::string(std::getenv("PATH"))}, "/dev/null");
  const auto traced = [&] {
    std::ifstream file(proc(process.pid()) + "/status");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("TracerPid:")) return std::stoi(line.substr(10)) != 0;
    }
    return false;
  };
  if (!wait_for([&] { return traced() || strace.ended(); }, 5s) || strace.ended()) return std::nullopt;
  function();
  strace.signal(SIGINT);  // it detaches and writes its summary
  if (!wait_for([&] { return strace.ended(); }, 5s)) return std::nullopt;
  std::ifstream file(summary);
  std::uint64_t calls = 0;
  // Columns: "% time", seconds, usecs/call, calls, [errors], syscall.
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    double number = 0;
    std::uint64_t count = 0;
    if (words >> number >> number >> number >> count && !line.ends_with("total")) calls += count;
  }
  return calls;
}

}  // namespace portsync::bench
