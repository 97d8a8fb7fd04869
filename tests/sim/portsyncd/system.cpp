// SPDX-License-Identifier: Apache-2.0
#include "os/system.hpp"

#include <fcntl.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>

#include "sim/machine.hpp"

namespace portsyncd::os {
namespace {

using sim::Host;
using sim::Machine;
using sim::OpenFile;
using sim::result;
using sim::World;

template <typename F>
std::shared_ptr<F> file(int fd) {
  return std::dynamic_pointer_cast<F>(World::current().file(fd));
}

Host& host() {
  return Machine::current().host;
}

World& enter(const char* call) {
  World& world = World::current();
  world.enter(call);
  return world;
}

void fill(struct stat* status, const sim::FileNode& node) {
  *status = {};
  status->st_mode = node.mode;
  status->st_size = static_cast<off_t>(node.bytes.size());
  status->st_mtim = {node.modified / sim::second, node.modified % sim::second};
}

}  // namespace

portsync::TimePoint now() noexcept {
  return portsync::TimePoint(std::chrono::nanoseconds(World::current().look_at_clock()));
}

std::chrono::system_clock::time_point wall_time() noexcept {
  constexpr std::chrono::seconds start{1'800'000'000};
  return std::chrono::system_clock::time_point(start + std::chrono::nanoseconds(World::current().now()));
}

portsync::TimePoint process_start() noexcept {
  return portsync::TimePoint(std::chrono::nanoseconds(host().process_start));
}

std::int64_t process_id() noexcept {
  return host().process_id;
}

std::uint32_t random_number() {
  return static_cast<std::uint32_t>(World::current().noise().below(1ULL << 32U));
}

std::string_view getenv(const char* name) noexcept {
  const char* value = host().variable(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string_view> environment() {
  return {host().environment.begin(), host().environment.end()};
}

void hide_memory() noexcept {}

void ignore_signal(int) noexcept {}

int signal_descriptor(int number) {
  World& world = enter("signalfd");
  auto signals = std::make_shared<sim::SignalFile>(number);
  std::erase_if(host().signal_files, [](const auto& old) { return old.expired(); });
  host().signal_files.push_back(signals);
  const int fd = world.open(std::move(signals));
  if (fd < 0) throw std::system_error(-fd, std::system_category(), "signalfd");
  return fd;
}

int epoll_create() noexcept {
  return result(enter("epoll_create1").open(std::make_shared<sim::EpollFile>()));
}

int epoll_ctl(int set, int operation, int fd, epoll_event* event) noexcept {
  enter("epoll_ctl");
  return result(file<sim::EpollFile>(set)->control(operation, fd, event));
}

int epoll_wait(int set, epoll_event* ready, int count) {
  World& world = enter("epoll_wait");
  const auto events = file<sim::EpollFile>(set);
  sim::MainThread::current()->wait(events);
  if (world.fails(world.faults.interrupted)) return result(-EINTR);
  return events->collect(ready, count);
}

int timer_create() noexcept {
  return result(enter("timerfd_create").open(std::make_shared<sim::TimerFile>()));
}

int timer_set(int fd, std::chrono::nanoseconds delay, std::chrono::nanoseconds period) noexcept {
  World& world = enter("timerfd_settime");
  file<sim::TimerFile>(fd)->set(delay.count() == 0 ? 0 : world.now() + delay.count(), period.count());
  return 0;
}

// A file that is missing, and O_CREAT; there are no permissions.
int open(const char* path, int flags, mode_t mode) noexcept {
  World& world = enter("open");
  auto& files = host().files;
  const auto found = files.find(path);
  if (found != files.end() && (flags & O_EXCL) != 0) return result(-EEXIST);
  if (found == files.end() && (flags & O_CREAT) == 0) return result(-ENOENT);
  std::shared_ptr<sim::FileNode> node = found == files.end() ? std::make_shared<sim::FileNode>() : found->second;
  const int fd = world.open(std::make_shared<OpenFile>(node));
  if (fd < 0) return result(fd);
  if (found == files.end()) {
    node->mode = S_IFREG | mode;
    files.emplace(path, std::move(node));
  }
  return fd;
}

int close(int fd) noexcept {
  return result(enter("close").close(fd));
}

ssize_t read(int fd, void* data, std::size_t size) noexcept {
  World& world = enter("read");
  const auto opened = world.file(fd);
  return result(opened ? opened->read(data, size) : -EBADF);
}

ssize_t pread(int fd, void* data, std::size_t size, off_t offset) noexcept {
  enter("pread");
  const auto opened = file<OpenFile>(fd);
  if (!opened) return result<ssize_t>(-EBADF);
  OpenFile from(opened->node);
  from.at = static_cast<std::size_t>(offset);
  return from.read(data, size);
}

ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) noexcept {
  World& world = enter("pwrite");
  const auto opened = file<OpenFile>(fd);
  if (!opened) return result<ssize_t>(-EBADF);
  std::string& bytes = opened->node->bytes;
  const auto at = static_cast<std::size_t>(offset);
  bytes.resize(std::max(bytes.size(), at + size));
  std::memcpy(bytes.data() + at, data, size);
  opened->node->modified = world.now();
  return static_cast<ssize_t>(size);
}

int ftruncate(int fd, off_t size) noexcept {
  enter("ftruncate");
  const auto opened = file<OpenFile>(fd);
  if (!opened) return result(-EBADF);
  opened->node->bytes.resize(static_cast<std::size_t>(size));
  return 0;
}

int allocate(int fd, off_t size) noexcept {
  World& world = enter("fallocate");
  const auto opened = file<OpenFile>(fd);
  if (!opened) return EBADF;
  if (world.fails(world.faults.no_descriptor)) return ENOSPC;
  opened->node->bytes.resize(static_cast<std::size_t>(size));
  return 0;
}

int fstat(int fd, struct stat* status) noexcept {
  enter("fstat");
  const auto opened = file<OpenFile>(fd);
  if (!opened) return result(-EBADF);
  fill(status, *opened->node);
  return 0;
}

int stat(const char* path, struct stat* status) noexcept {
  enter("stat");
  *status = {};
  const auto found = host().files.find(path);
  if (found != host().files.end()) {
    fill(status, *found->second);
  } else if (host().directories.count(path) != 0) {
    status->st_mode = S_IFDIR | 0755;
  } else {
    return result(-ENOENT);
  }
  return 0;
}

int touch(int fd) noexcept {
  World& world = enter("futimens");
  const auto opened = file<OpenFile>(fd);
  if (!opened) return result(-EBADF);
  opened->node->modified = world.now();
  return 0;
}

int unlink(const char* path) noexcept {
  enter("unlink");
  return result(host().files.erase(path) > 0 ? 0 : -ENOENT);
}

int mkdir(const char* path, mode_t) noexcept {
  enter("mkdir");
  return result(host().directories.emplace(path).second ? 0 : -EEXIST);
}

int chmod(const char*, mode_t) noexcept {
  enter("chmod");
  return 0;
}

void* map(int fd, std::size_t size) noexcept {
  enter("mmap");
  const auto opened = file<OpenFile>(fd);
  if (!opened || opened->node->bytes.size() < size) {
    errno = ENODEV;
    return nullptr;
  }
  host().mapped.push_back(opened->node);
  return opened->node->bytes.data();
}

void unmap(void* address, std::size_t) noexcept {
  enter("munmap");
  std::erase_if(host().mapped, [address](const auto& node) { return node->bytes.data() == address; });
}

int socket(int domain, int) noexcept {
  World& world = enter("socket");
  if (domain != AF_UNIX) return result(-EAFNOSUPPORT);
  return result(world.open(std::make_shared<sim::DatagramFile>()));
}

int getsockopt(int, int, int, void*, socklen_t*) noexcept {
  enter("getsockopt");
  return result(-ENOPROTOOPT);  // as of a kernel without SO_NETNS_COOKIE
}

ssize_t sendto(int fd, const void* data, std::size_t size, int, const sockaddr*, socklen_t) noexcept {
  enter("sendto");
  if (!file<sim::DatagramFile>(fd)) return result<ssize_t>(-EBADF);
  if (host().on_notification) host().on_notification({static_cast<const char*>(data), size});
  return static_cast<ssize_t>(size);
}

void write_to_standard_output(std::string_view) noexcept {
  enter("write");
}

}  // namespace portsyncd::os
