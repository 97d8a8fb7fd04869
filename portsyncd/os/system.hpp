// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <portsync/pollable.hpp>
#include <string_view>
#include <vector>

// What portsyncd asks of the system, but for its log and its faces. The calls are those of the manual pages: they
// return -1 and set errno on error. portsyncd wraps them so that the App can be linked with replacements, on a
// simulated system: tests/sim/portsyncd.
namespace portsyncd::os {

// ---- time
[[nodiscard]] portsync::TimePoint now() noexcept;
[[nodiscard]] std::chrono::system_clock::time_point wall_time() noexcept;

// ---- the process
[[nodiscard]] portsync::TimePoint process_start() noexcept;
[[nodiscard]] std::int64_t process_id() noexcept;
[[nodiscard]] std::uint32_t random_number();
[[nodiscard]] std::string_view getenv(const char* name) noexcept;  // "" = not set
// All variables, "NAME=value".
[[nodiscard]] std::vector<std::string_view> environment();
// No core is dumped, and no other process of the user may look into this one.
void hide_memory() noexcept;

// ---- signals
void ignore_signal(int number) noexcept;
// Blocks the signal in the calling thread. Returns a signalfd(2) that does not block. Throws std::system_error.
[[nodiscard]] int signal_descriptor(int number);

// ---- the loop
[[nodiscard]] int epoll_create() noexcept;
int epoll_ctl(int set, int operation, int fd, epoll_event* event) noexcept;
// Waits without a limit.
[[nodiscard]] int epoll_wait(int set, epoll_event* ready, int count);
[[nodiscard]] int timer_create() noexcept;  // CLOCK_MONOTONIC, does not block
// From now; 0 stops it. `period` = 0: it fires once.
[[nodiscard]] int timer_set(int fd, std::chrono::nanoseconds delay, std::chrono::nanoseconds period) noexcept;

// ---- files
[[nodiscard]] int open(const char* path, int flags, mode_t mode = 0) noexcept;
int close(int fd) noexcept;
[[nodiscard]] ssize_t read(int fd, void* data, std::size_t size) noexcept;
[[nodiscard]] ssize_t pread(int fd, void* data, std::size_t size, off_t offset) noexcept;
[[nodiscard]] ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) noexcept;
[[nodiscard]] int ftruncate(int fd, off_t size) noexcept;
[[nodiscard]] int allocate(int fd, off_t size) noexcept;  // as posix_fallocate(3): returns the error
[[nodiscard]] int fstat(int fd, struct stat* status) noexcept;
[[nodiscard]] int stat(const char* path, struct stat* status) noexcept;
int touch(int fd) noexcept;  // its times are now
int unlink(const char* path) noexcept;
[[nodiscard]] int mkdir(const char* path, mode_t mode) noexcept;
int chmod(const char* path, mode_t mode) noexcept;
[[nodiscard]] void* map(int fd, std::size_t size) noexcept;  // to read and to write, shared; nullptr on error
void unmap(void* address, std::size_t size) noexcept;

// ---- sockets, and the standard output's heartbeat
[[nodiscard]] int socket(int domain, int type) noexcept;
int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept;
[[nodiscard]] ssize_t sendto(int fd, const void* data, std::size_t size, int flags, const sockaddr* address,
                             socklen_t address_size) noexcept;
// Writes to standard output if that does not wait.
void write_to_standard_output(std::string_view text) noexcept;

}  // namespace portsyncd::os
