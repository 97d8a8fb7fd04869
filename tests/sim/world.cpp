// SPDX-License-Identifier: Apache-2.0
#include "sim/world.hpp"

#include <ucontext.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sim {

World* World::current_ = nullptr;

ssize_t File::read(void*, std::size_t) {
  return -EINVAL;
}

ssize_t File::write(const void*, std::size_t) {
  return -EINVAL;
}

World::World(std::uint64_t seed) : noise_(Random::derive(seed, 1)) {
  assert(current_ == nullptr);
  current_ = this;
}

// A thread that still waits has objects on its stack.
void World::end_threads() {
  for (int i = 0; threads_ > 0 && i < 1'000'000 && advance(now_ + 3600 * second); ++i) {
  }
}

World::~World() {
  // Destroys what the actors' events hold while the world still exists.
  events_ = {};
  files_.clear();
  current_ = nullptr;
}

void World::at(Time when, Action action) {
  events_.push({std::max(when, now_), sequence_++, std::move(action)});
}

void World::run_next() {
  // The queue returns only a const reference. Moving out of it is harmless, because the next line removes the element.
  Event event = std::move(const_cast<Event&>(events_.top()));
  events_.pop();
  now_ = std::max(now_, event.when);
  ++events_run_;
  event.action();
}

void World::run_due() {
  while (!events_.empty() && events_.top().when <= now_) run_next();
}

bool World::advance(Time limit) {
  if (events_.empty() || events_.top().when > limit) {
    now_ = std::max(now_, limit);
    return false;
  }
  run_next();
  return true;
}

void World::enter(const char* name) {
  ++counters.calls;
  if (running_) return sleep(now_ + microsecond);
  now_ += microsecond;
  if (fails(faults.slow)) block(name, now_ + noise_.between(0, 20) * millisecond);
  run_due();
}

void World::block(const char* name, Time when) {
  if (running_) return sleep(when);
  if (when - now_ > counters.longest_block) {
    counters.longest_block = when - now_;
    counters.blocked_in = name;
  }
  while (advance(when)) {
  }
}

// ---- threads: each has its own stack, and runs as events of the world

struct World::Thread {
  static constexpr std::size_t stack_bytes = 256 * 1024;
  ucontext_t context{};
  ucontext_t caller{};
  Action run;
  bool finished = false;
  std::unique_ptr<char[]> stack{new char[stack_bytes]};
};

void World::spawn(Action run) {
  const auto thread = std::make_shared<Thread>();
  thread->run = std::move(run);
  ::getcontext(&thread->context);
  thread->context.uc_stack.ss_sp = thread->stack.get();
  thread->context.uc_stack.ss_size = Thread::stack_bytes;
  ::makecontext(&thread->context, &World::thread_main, 0);
  ++threads_;
  after(noise_.between(5, 200) * microsecond, [this, thread] { resume(thread); });
}

// Only the loop's thread calls this, because it runs all events.
void World::resume(const std::shared_ptr<Thread>& thread) {
  assert(!running_);
  running_ = thread;
  ::swapcontext(&thread->caller, &thread->context);
  running_ = nullptr;
  if (thread->finished) --threads_;
}

void World::thread_main() {
  Thread& self = *current().running_;
  self.run();
  self.run = nullptr;
  self.finished = true;
  ::swapcontext(&self.context, &self.caller);
}

void World::sleep(Time when) {
  Thread& self = *running_;
  at(when, [this, thread = running_] { resume(thread); });
  ::swapcontext(&self.context, &self.caller);
}

int World::open(std::shared_ptr<File> file) {
  if (fails(faults.no_descriptor)) return -EMFILE;
  const auto free = std::find(files_.begin(), files_.end(), nullptr);
  const auto number = static_cast<int>(free - files_.begin());
  if (free == files_.end()) {
    files_.push_back(std::move(file));
  } else {
    *free = std::move(file);
  }
  ++open_;
  return first_descriptor + number;
}

std::shared_ptr<File> World::file(int fd) const {
  const auto number = static_cast<std::size_t>(fd - first_descriptor);
  return fd >= first_descriptor && number < files_.size() ? files_[number] : nullptr;
}

int World::close(int fd) {
  if (file(fd) == nullptr) return -EBADF;
  // A socket's destructor may act on the world. It runs after the number is free again, as in the kernel.
  const std::shared_ptr<File> closed = std::exchange(files_[static_cast<std::size_t>(fd - first_descriptor)], nullptr);
  --open_;
  return 0;
}

// ---- epoll

std::uint32_t EpollFile::events_of(const Member& member) {
  const std::shared_ptr<File> file = member.file.lock();
  if (!file) return 0;
  return file->ready() & (member.event.events | EPOLLERR | EPOLLHUP);
}

std::uint32_t EpollFile::ready() const {
  for (const Member& member : members_) {
    if (events_of(member) != 0) return EPOLLIN;
  }
  return 0;
}

int EpollFile::control(int operation, int fd, const epoll_event* event) {
  const std::shared_ptr<File> file = World::current().file(fd);
  if (!file) return -EBADF;
  members_.erase(std::remove_if(members_.begin(), members_.end(), [](const Member& m) { return m.file.expired(); }),
                 members_.end());
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const Member& m) { return m.fd == fd && m.file.lock() == file; });
  switch (operation) {
    case EPOLL_CTL_ADD:
      if (found != members_.end()) return -EEXIST;
      members_.push_back({fd, file, *event});
      return 0;
    case EPOLL_CTL_MOD:
      if (found == members_.end()) return -ENOENT;
      found->event = *event;
      return 0;
    case EPOLL_CTL_DEL:
      if (found == members_.end()) return -ENOENT;
      members_.erase(found);
      return 0;
    default:
      return -EINVAL;
  }
}

int EpollFile::collect(epoll_event* ready, int count) {
  int found = 0;
  const std::size_t size = members_.size();
  for (std::size_t i = 0; i < size && found < count; ++i) {
    const Member& member = members_[(first_ + i) % size];
    const std::uint32_t events = events_of(member);
    if (events == 0) continue;
    ready[found] = member.event;
    ready[found].events = events;
    ++found;
  }
  if (size > 0) first_ = (first_ + 1) % size;
  return found;
}

// ---- timerfd, eventfd

std::uint32_t TimerFile::ready() const {
  return deadline_ != 0 && World::current().now() >= deadline_ ? EPOLLIN : 0U;
}

ssize_t TimerFile::read(void* data, std::size_t size) {
  const std::uint64_t expirations = 1;
  if (size < sizeof expirations) return -EINVAL;
  if (ready() == 0) return -EAGAIN;
  std::memcpy(data, &expirations, sizeof expirations);
  // One reading is for all expirations that were missed.
  const Time late = World::current().now() - deadline_;
  set(period_ == 0 ? 0 : deadline_ + (late / period_ + 1) * period_, period_);
  return sizeof expirations;
}

// The event does nothing: it makes the world stop at that time, when the descriptor becomes readable.
void TimerFile::set(Time deadline, Time period) {
  deadline_ = deadline;
  period_ = period;
  if (deadline > World::current().now()) World::current().at(deadline, [] {});
}

ssize_t EventFile::read(void* data, std::size_t size) {
  if (size < sizeof count_) return -EINVAL;
  if (count_ == 0) return -EAGAIN;
  std::memcpy(data, &count_, sizeof count_);
  count_ = 0;
  return sizeof count_;
}

ssize_t EventFile::write(const void* data, std::size_t size) {
  std::uint64_t added = 0;
  if (size < sizeof added) return -EINVAL;
  std::memcpy(&added, data, sizeof added);
  count_ += added;
  return sizeof added;
}

}  // namespace sim
