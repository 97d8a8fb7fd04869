// SPDX-License-Identifier: Apache-2.0
#include "os/file.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace portsync::os {

int open(const char* path, int flags) noexcept {
  return ::open(path, flags);
}

ssize_t write(int fd, const void* data, std::size_t size) noexcept {
  return ::write(fd, data, size);
}

off_t lseek(int fd, off_t offset, int whence) noexcept {
  return ::lseek(fd, offset, whence);
}

int ftruncate(int fd, off_t size) noexcept {
  return ::ftruncate(fd, size);
}

int fstat(int fd, struct stat* status) noexcept {
  return ::fstat(fd, status);
}

bool isatty(int fd) noexcept {
  return ::isatty(fd) != 0;
}

}  // namespace portsync::os
