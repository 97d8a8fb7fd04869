// SPDX-License-Identifier: Apache-2.0
#include "os/background.hpp"

#include <cassert>
#include <cerrno>
#include <system_error>

#include "os/descriptor.hpp"
#include "sim/world.hpp"

namespace portsync::os {

struct BackgroundThread::Shared {
  bool finished = false;
  bool abandoned = false;
  std::unique_ptr<Job> job;
  std::shared_ptr<sim::EventFile> event = std::make_shared<sim::EventFile>();
  Descriptor descriptor;
};

BackgroundThread::BackgroundThread() : shared_(std::make_shared<Shared>()) {
  sim::World& world = sim::World::current();
  world.enter("eventfd");
  const int fd = world.open(shared_->event);
  if (fd < 0) throw std::system_error(-fd, std::system_category(), "eventfd");
  shared_->descriptor.reset(fd);
}

BackgroundThread::~BackgroundThread() {
  shared_->abandoned = true;
  shared_->descriptor.reset();
}

void BackgroundThread::start(std::unique_ptr<Job> job) {
  assert(!running_ && "one job at a time");
  sim::World& world = sim::World::current();
  // The thread is kept for the next job: only the first start() creates one.
  if (!has_thread_ && world.fails(world.faults.no_descriptor)) throw std::system_error(EAGAIN, std::system_category(), "thread");
  has_thread_ = running_ = true;
  shared_->finished = false;
  shared_->job = std::move(job);
  world.spawn([shared = shared_] {
    std::unique_ptr<Job> running = std::move(shared->job);
    running->run();
    if (shared->abandoned) return;
    shared->job = std::move(running);
    shared->finished = true;
    const std::uint64_t one = 1;
    shared->event->write(&one, sizeof one);
  });
}

bool BackgroundThread::finished() const {
  return running_ && shared_->finished;
}

std::unique_ptr<BackgroundThread::Job> BackgroundThread::take() {
  assert(finished() && "take() before it has finished");
  std::uint64_t count = 0;
  shared_->event->read(&count, sizeof count);
  running_ = false;
  return std::move(shared_->job);
}

int BackgroundThread::fd() const noexcept {
  return shared_->descriptor.get();
}

}  // namespace portsync::os
