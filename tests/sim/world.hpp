// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/epoll.h>
#include <sys/types.h>

#include <cerrno>
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

// Sets errno for a negative result, as the C library does.
template <typename T>
T result(T value) {
  if (value >= 0) return value;
  errno = static_cast<int>(-value);
  return -1;
}

// What a descriptor refers to.
class File {
 public:
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File() = default;
  // Returns the EPOLL* events that are true now.
  [[nodiscard]] virtual std::uint32_t ready() const = 0;
  // Like read(2) and write(2), but returns -errno on failure.
  virtual ssize_t read(void* data, std::size_t size);
  virtual ssize_t write(const void* data, std::size_t size);
};

// How often valid system calls fail, as rates in a million.
struct SystemFaults {
  std::uint32_t interrupted = 0;   // EINTR
  std::uint32_t no_descriptor = 0; // EMFILE, or ENOMEM where the call allocates a descriptor or memory
  std::uint32_t slow = 0;          // the process is not run for up to 20 ms
};

// What the judges need to know about the process.
struct SystemCounters {
  std::uint64_t calls = 0;
  std::uint64_t bytes = 0;          // read and written, except from timers
  Time longest_block = 0;           // how long a single call has blocked the process
  const char* blocked_in = "";
};

// The simulated machine: its time, its future events, and the descriptors of the process under test. There is one at a
// time; simulated system calls find it with `current()`. Nothing here depends on addresses, hashes or real time.
//
// Other actors (the kernel, servers, operators) run as events. Events that are due run within each system call. So what
// the process under test does in one turn interleaves with what they do, as on a machine with several processors.
class World {
 public:
  using Action = std::function<void()>;

  explicit World(std::uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  [[nodiscard]] static World& current() noexcept { return *current_; }

  [[nodiscard]] Time now() const noexcept { return now_; }
  // Reading the clock takes a little time, as on a real machine, so that a loop which waits for time to pass ends.
  [[nodiscard]] Time look_at_clock() noexcept { return now_ += 25; }

  // Actions for the same time run in the order of these calls.
  void at(Time when, Action action);
  void after(Time delay, Action action) { at(now_ + delay, std::move(action)); }
  // Advances to the next event, or to `limit` if no event comes before. Returns false when it has reached the limit.
  bool advance(Time limit);

  // Begins each simulated system call: takes time, and lets other actors run.
  void enter(const char* name);
  // Blocks the calling thread until `when`.
  void block(const char* name, Time when);

  // Starts a thread of the process, which runs beside its loop. Threads switch only in system calls.
  void spawn(Action run);
  // Runs until no thread is left. To be called before the machine is destroyed, because the threads use it.
  void end_threads();
  [[nodiscard]] std::size_t threads() const noexcept { return threads_; }
  // Returns whether a call must fail now for no reason of its own.
  [[nodiscard]] bool fails(std::uint32_t per_million) noexcept { return noise_.per_million(per_million); }
  [[nodiscard]] Random& noise() noexcept { return noise_; }

  SystemFaults faults;
  SystemCounters counters;
  [[nodiscard]] std::uint64_t events_run() const noexcept { return events_run_; }

  // Descriptors. The lowest free number is used, as by the kernel, but above the numbers of real ones.
  static constexpr int first_descriptor = 10'000;
  int open(std::shared_ptr<File> file);
  // Returns nullptr if there is none.
  [[nodiscard]] std::shared_ptr<File> file(int fd) const;
  int close(int fd);
  [[nodiscard]] std::size_t open_descriptors() const noexcept { return open_; }

  // Adds to a hash of everything that happens, which must be the same for every run of a seed.
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

// ---- descriptors without a peer

class EpollFile final : public File {
 public:
  [[nodiscard]] std::uint32_t ready() const override;
  // Returns -errno on failure.
  int control(int operation, int fd, const epoll_event* event);
  int collect(epoll_event* ready, int count);

 private:
  struct Member {
    int fd;
    std::weak_ptr<File> file;
    epoll_event event;
  };
  // Returns which of a member's events are true; 0 if it has been closed.
  static std::uint32_t events_of(const Member& member);
  std::vector<Member> members_;
  std::size_t first_ = 0;  // which member is looked at first, so that no member is always the last
};

class TimerFile final : public File {
 public:
  [[nodiscard]] std::uint32_t ready() const override;
  ssize_t read(void* data, std::size_t size) override;
  void set(Time deadline, Time period = 0);  // 0 = never; once

 private:
  Time deadline_ = 0;
  Time period_ = 0;
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
