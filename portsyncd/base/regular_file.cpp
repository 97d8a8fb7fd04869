// SPDX-License-Identifier: Apache-2.0
#include "base/regular_file.hpp"

#include <fcntl.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "os/system.hpp"

namespace portsyncd {
namespace {

constexpr std::size_t most_bytes_of_a_secret = 64UL * 1024;

class File {
 public:
  explicit File(const std::string& path)
      // Without O_NONBLOCK, opening a FIFO would wait for its writer.
      : path_(path), fd_(os::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
    if (fd_ < 0) fail();
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { os::close(fd_); }

  [[nodiscard]] struct stat status() const {
    struct stat status {};
    if (os::fstat(fd_, &status) < 0) fail();
    return status;
  }

  std::string read(std::size_t most_bytes) {
    std::string content;
    while (content.size() <= most_bytes) {
      char buffer[16384];
      const ssize_t size = os::read(fd_, buffer, sizeof buffer);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) fail();
      if (size == 0) return content;
      content.append(buffer, static_cast<std::size_t>(size));
    }
    throw std::invalid_argument(path_ + ": longer than " + std::to_string(most_bytes) + " bytes");
  }

 private:
  [[noreturn]] void fail() const { throw std::system_error(errno, std::system_category(), path_); }

  const std::string& path_;
  int fd_;
};

}  // namespace

std::string read_regular_file(const std::string& path, std::size_t most_bytes) {
  File file(path);
  const mode_t mode = file.status().st_mode;
  if (!S_ISREG(mode)) {
    throw std::invalid_argument(path + (S_ISDIR(mode) ? ": found a directory" : ": found a device, pipe or socket") +
                                ", expected a regular file");
  }
  return file.read(most_bytes);
}

std::string read_first_line(const std::string& path) {
  const std::string content = read_regular_file(path, most_bytes_of_a_secret);
  std::string line = content.substr(0, content.find('\n'));
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.empty()) throw std::invalid_argument(path + ": found an empty first line, expected the password in it");
  return line;
}

bool every_user_may_read(const std::string& path) noexcept {
  struct stat status {};
  return os::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0;
}

}  // namespace portsyncd
