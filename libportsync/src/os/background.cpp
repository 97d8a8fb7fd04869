// SPDX-License-Identifier: Apache-2.0
#include "os/background.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>

#include "os/descriptor.hpp"

namespace portsync::os {

struct BackgroundThread::Shared {
  enum class Stage : std::uint8_t { idle, wanted, running, finished };

  std::mutex mutex;  // guards all members below
  std::condition_variable changed;
  Stage stage = Stage::idle;
  bool abandoned = false;    // its owner is gone: a job that is wanted still runs, then the thread ends
  std::unique_ptr<Job> job;  // set in Stage::wanted and Stage::finished
  Descriptor event;          // only the owner closes it, so that it is gone when the owner is
};

BackgroundThread::BackgroundThread() : shared_(std::make_shared<Shared>()) {
  shared_->event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!shared_->event) throw std::system_error(errno, std::system_category(), "eventfd");
}

BackgroundThread::~BackgroundThread() {
  std::unique_ptr<Job> unused;  // destroyed after the lock is released
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->abandoned = true;
    shared_->event.reset();
    if (shared_->stage == Shared::Stage::finished) unused = std::move(shared_->job);
  }
  shared_->changed.notify_one();
}

void BackgroundThread::start(std::unique_ptr<Job> job) {
  assert(!running_ && "one job at a time");
  if (!has_thread_) {
    const BlockedSignals blocked;  // the thread inherits it
    std::thread([shared = shared_] { run_jobs(shared); }).detach();
    has_thread_ = true;
  }
  running_ = true;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->job = std::move(job);
    shared_->stage = Shared::Stage::wanted;
  }
  shared_->changed.notify_one();
}

void BackgroundThread::run_jobs(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  while (true) {
    shared->changed.wait(lock, [&] { return shared->stage == Shared::Stage::wanted || shared->abandoned; });
    if (shared->stage != Shared::Stage::wanted) return;
    shared->stage = Shared::Stage::running;
    std::unique_ptr<Job> job = std::move(shared->job);
    lock.unlock();
    job->run();
    lock.lock();
    if (shared->abandoned) {
      lock.unlock();
      return;  // which destroys the job and its result
    }
    shared->job = std::move(job);
    shared->stage = Shared::Stage::finished;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(shared->event.get(), &one, sizeof one);
  }
}

bool BackgroundThread::finished() const {
  if (!running_) return false;
  const std::lock_guard lock(shared_->mutex);
  return shared_->stage == Shared::Stage::finished;
}

std::unique_ptr<BackgroundThread::Job> BackgroundThread::take() {
  const std::lock_guard lock(shared_->mutex);
  assert(shared_->stage == Shared::Stage::finished && "take() before it has finished");
  std::uint64_t count = 0;
  [[maybe_unused]] const auto size = ::read(shared_->event.get(), &count, sizeof count);
  shared_->stage = Shared::Stage::idle;
  running_ = false;
  return std::move(shared_->job);
}

int BackgroundThread::fd() const noexcept {
  return shared_->event.get();
}

}  // namespace portsync::os
