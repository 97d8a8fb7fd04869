// SPDX-License-Identifier: Apache-2.0
#include "os/system.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <random>
#include <system_error>

namespace portsyncd::os {
namespace {

const auto start = portsync::Clock::now();

timespec to_timespec(std::chrono::nanoseconds duration) noexcept {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  return {seconds.count(), (duration - seconds).count()};
}

}  // namespace

portsync::TimePoint now() noexcept {
  return portsync::Clock::now();
}

std::chrono::system_clock::time_point wall_time() noexcept {
  return std::chrono::system_clock::now();
}

portsync::TimePoint process_start() noexcept {
  return start;
}

std::int64_t process_id() noexcept {
  return ::getpid();
}

std::uint32_t random_number() {
  return std::random_device()();
}

std::string_view getenv(const char* name) noexcept {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string_view> environment() {
  std::vector<std::string_view> variables;
  for (const char* const* variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  return variables;
}

void hide_memory() noexcept {
  ::prctl(PR_SET_DUMPABLE, 0);
}

void ignore_signal(int number) noexcept {
  std::signal(number, SIG_IGN);
}

int signal_descriptor(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  const int blocked = pthread_sigmask(SIG_BLOCK, &set, nullptr);
  if (blocked != 0) throw std::system_error(blocked, std::system_category(), "pthread_sigmask");
  const int fd = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::system_category(), "signalfd");
  return fd;
}

int epoll_create() noexcept {
  return ::epoll_create1(EPOLL_CLOEXEC);
}

int epoll_ctl(int set, int operation, int fd, epoll_event* event) noexcept {
  return ::epoll_ctl(set, operation, fd, event);
}

int epoll_wait(int set, epoll_event* ready, int count) {
  return ::epoll_wait(set, ready, count, -1);
}

int timer_create() noexcept {
  return ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

int timer_set(int fd, std::chrono::nanoseconds delay, std::chrono::nanoseconds period) noexcept {
  const itimerspec spec{to_timespec(period), to_timespec(delay)};
  return ::timerfd_settime(fd, 0, &spec, nullptr);
}

int open(const char* path, int flags, mode_t mode) noexcept {
  return ::open(path, flags, mode);
}

int close(int fd) noexcept {
  return ::close(fd);
}

ssize_t read(int fd, void* data, std::size_t size) noexcept {
  return ::read(fd, data, size);
}

ssize_t pread(int fd, void* data, std::size_t size, off_t offset) noexcept {
  return ::pread(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) noexcept {
  return ::pwrite(fd, data, size, offset);
}

int ftruncate(int fd, off_t size) noexcept {
  return ::ftruncate(fd, size);
}

int allocate(int fd, off_t size) noexcept {
  return ::posix_fallocate(fd, 0, size);
}

int fstat(int fd, struct stat* status) noexcept {
  return ::fstat(fd, status);
}

int stat(const char* path, struct stat* status) noexcept {
  return ::stat(path, status);
}

int touch(int fd) noexcept {
  return ::futimens(fd, nullptr);
}

int unlink(const char* path) noexcept {
  return ::unlink(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  return ::mkdir(path, mode);
}

int chmod(const char* path, mode_t mode) noexcept {
  return ::chmod(path, mode);
}

void* map(int fd, std::size_t size) noexcept {
  void* mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return mapped == MAP_FAILED ? nullptr : mapped;
}

void unmap(void* address, std::size_t size) noexcept {
  ::munmap(address, size);
}

int socket(int domain, int type) noexcept {
  return ::socket(domain, type, 0);
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
  return ::getsockopt(fd, level, name, value, size);
}

ssize_t sendto(int fd, const void* data, std::size_t size, int flags, const sockaddr* address,
               socklen_t address_size) noexcept {
  return ::sendto(fd, data, size, flags, address, address_size);
}

void write_to_standard_output(std::string_view text) noexcept {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  if (::poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) return;
  [[maybe_unused]] const auto size = ::write(STDOUT_FILENO, text.data(), text.size());
}

}  // namespace portsyncd::os
