// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/epoll.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "sim/random.hpp"

namespace sim {

// Nanoseconds since the simulated machine started.
using Time = std::int64_t;
constexpr Time microsecond = 1'000;
constexpr Time millisecond = 1'000'000;
constexpr Time second = 1'000'000'000;

// What is behind a descriptor.
class File {
 public:
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File() = default;
  // EPOLL* events that are true now.
  [[nodiscard]] virtual std::uint32_t ready() const = 0;
  // As read(2) and write(2), with -errno for an error.
  virtual ssize_t read(void* data, std::size_t size);
  virtual ssize_t write(const void* data, std::size_t size);
};

// How often system calls fail though nothing is wrong with what they are asked: of a million.
struct SystemFaults {
  std::uint32_t interrupted = 0;   // EINTR
  std::uint32_t no_descriptor = 0; // EMFILE, ENOMEM where a descriptor or memory is taken
  std::uint32_t slow = 0;          // the process is not run for up to 20 ms
};

// What the judges need to know of the process.
struct SystemCounters {
  std::uint64_t calls = 0;
  std::uint64_t bytes = 0;          // read and written, but for timers
  Time longest_block = 0;           // that one call has kept the process waiting
  const char* blocked_in = "";
};

// The simulated machine: time, what is going to happen, and the descriptors of the process under test. There is one at a
// time; `current()` is how the simulated system calls find it. Nothing here depends on addresses, hashes or real time.
//
// Other actors (the kernel, servers, operators) run as events. Events that are due run within each system call, so that
// what the process under test does in one turn interleaves with what they do, as on a machine with several processors.
class World {
 public:
  using Action = std::function<void()>;

  explicit World(std::uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  [[nodiscard]] static World& current() noexcept { return *current_; }

  [[nodiscard]] Time now() const noexcept { return now_; }
  // A look at the clock costs a little, as it does on a real machine; so no loop that waits for time to pass is endless.
  [[nodiscard]] Time look_at_clock() noexcept { return now_ += 25; }

  // Actions at the same time run in the order of these calls.
  void at(Time when, Action action);
  void after(Time delay, Action action) { at(now_ + delay, std::move(action)); }
  // Goes on to the next event, or to `limit` when there is none before. False: it has come to the limit.
  bool advance(Time limit);

  // The beginning of each simulated system call: takes time, and lets the others run.
  void enter(const char* name);
  // Keeps the calling thread until `when`.
  void block(const char* name, Time when);

  // A thread of the process: runs beside its loop, from now on. It changes over to the others in system calls alone.
  void spawn(Action run);
  // Runs until there is none: what they wait for must still be there. Before the machine goes.
  void end_threads();
  [[nodiscard]] std::size_t threads() const noexcept { return threads_; }
  // Whether a call is to fail now for no reason of its own.
  [[nodiscard]] bool fails(std::uint32_t per_million) noexcept { return noise_.per_million(per_million); }
  [[nodiscard]] Random& noise() noexcept { return noise_; }

  SystemFaults faults;
  SystemCounters counters;
  [[nodiscard]] std::uint64_t events_run() const noexcept { return events_run_; }

  // Descriptors: the lowest free number is taken, as by the kernel, but beyond those of real ones.
  static constexpr int first_descriptor = 10'000;
  int open(std::shared_ptr<File> file);
  [[nodiscard]] static bool is_simulated(int fd) noexcept { return fd >= first_descriptor; }
  // nullptr: there is none.
  [[nodiscard]] std::shared_ptr<File> file(int fd) const;
  int close(int fd);
  [[nodiscard]] std::size_t open_descriptors() const noexcept { return open_; }

  // Bytes for a log of what happened, which must be the same for every run of a seed.
  void trace(std::uint64_t value) noexcept { fingerprint_ = (fingerprint_ ^ value) * 0x100000001b3U; }
  [[nodiscard]] std::uint64_t fingerprint() const noexcept { return fingerprint_; }

 private:
  struct Event {
    Time when;
    std::uint64_t sequence;
    Action action;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const noexcept {
      return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
    }
  };
  struct Thread;
  void run_due();
  void run_next();
  void resume(const std::shared_ptr<Thread>& thread);
  void sleep(Time when);
  static void thread_main();

  static World* current_;
  Time now_ = second;
  Random noise_;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::uint64_t sequence_ = 0;
  std::uint64_t events_run_ = 0;
  std::vector<std::shared_ptr<File>> files_;
  std::size_t open_ = 0;
  std::shared_ptr<Thread> running_;  // nullptr: the loop's
  std::size_t threads_ = 0;
  std::uint64_t fingerprint_ = 0xcbf29ce484222325U;
};

// ---- the descriptors that need no peer

class EpollFile final : public File {
 public:
  [[nodiscard]] std::uint32_t ready() const override;
  // -errno.
  int control(int operation, int fd, const epoll_event* event);
  int collect(epoll_event* ready, int count);

 private:
  struct Member {
    int fd;
    std::weak_ptr<File> file;
    epoll_event event;
  };
  // Which of a member's events are true, 0 for one that has been closed.
  static std::uint32_t events_of(const Member& member);
  std::vector<Member> members_;
  std::size_t first_ = 0;  // who is looked at first: nobody is always the last
};

class TimerFile final : public File {
 public:
  [[nodiscard]] std::uint32_t ready() const override;
  ssize_t read(void* data, std::size_t size) override;
  void set(Time deadline);  // 0 = never

 private:
  Time deadline_ = 0;
};

class EventFile final : public File {
 public:
  [[nodiscard]] std::uint32_t ready() const override { return count_ > 0 ? EPOLLIN | EPOLLOUT : EPOLLOUT; }
  ssize_t read(void* data, std::size_t size) override;
  ssize_t write(const void* data, std::size_t size) override;

 private:
  std::uint64_t count_ = 0;
};

}  // namespace sim
