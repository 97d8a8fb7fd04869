// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>

// The system calls on files and terminals that this library makes; see os/socket.hpp.
namespace portsync::os {

[[nodiscard]] int open(const char* path, int flags) noexcept;
[[nodiscard]] ssize_t write(int fd, const void* data, std::size_t size) noexcept;
[[nodiscard]] off_t lseek(int fd, off_t offset, int whence) noexcept;
[[nodiscard]] int ftruncate(int fd, off_t size) noexcept;
[[nodiscard]] int fstat(int fd, struct stat* status) noexcept;
[[nodiscard]] bool isatty(int fd) noexcept;

}  // namespace portsync::os
