// SPDX-License-Identifier: Apache-2.0
#include "sonic/known_ifindexes.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <type_traits>

#include "os/system.hpp"

namespace portsyncd {
namespace {

constexpr std::array<char, 8> magic{'p', 's', 'y', 'n', 'c', 'i', 'f', '1'};
constexpr std::size_t name_size = 16;  // IFNAMSIZ
constexpr int netns_cookie = 71;       // SO_NETNS_COOKIE, which older headers do not define

// FNV-1a.
std::uint32_t checksum(const void* data, std::size_t size) {
  std::uint32_t sum = 2'166'136'261U;
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < size; ++i) sum = (sum ^ bytes[i]) * 16'777'619U;
  return sum;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) os::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string read_boot_id() {
  const Descriptor file(os::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text{};
  const ssize_t size = file.get() < 0 ? -1 : os::read(file.get(), text.data(), text.size());
  std::string id(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

std::uint64_t read_net_namespace() {
  const Descriptor socket(os::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC));
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (socket.get() >= 0 && os::getsockopt(socket.get(), SOL_SOCKET, netns_cookie, &cookie, &size) == 0) return cookie;
  struct stat status {};
  return os::stat("/proc/self/ns/net", &status) == 0 ? status.st_ino : 0;
}

}  // namespace

Surroundings surroundings() {
  return {read_boot_id(), read_net_namespace()};
}

struct KnownIfindexes::Header {
  std::array<char, 8> magic;
  std::array<char, 40> boot_id;
  std::uint64_t net_namespace;
};

// The checksum shows whether the name and the ifindex were written together.
struct KnownIfindexes::Entry {
  std::array<char, name_size> name;
  std::int32_t ifindex;  // 0 = free
  std::uint32_t sum;

  [[nodiscard]] std::uint32_t right_sum() const { return checksum(this, offsetof(Entry, sum)); }
  [[nodiscard]] bool in_use() const { return ifindex > 0 && name.back() == '\0' && sum == right_sum(); }
};

struct KnownIfindexes::File {
  Header header;
  std::array<Entry, most_ports> entries;
};

namespace {

[[noreturn]] void fail(const std::string& path) {
  throw std::system_error(errno, std::system_category(), path);
}

}  // namespace

// Replaces a file that does not match instead of overwriting it, because another process may have it mapped.
KnownIfindexes::KnownIfindexes(const std::string& path, const Surroundings& here) {
  static_assert(std::is_trivially_copyable_v<File>);
  Header wanted{magic, {}, here.net_namespace};
  std::copy_n(here.boot_id.begin(), std::min(here.boot_id.size(), wanted.boot_id.size()), wanted.boot_id.begin());
  const auto map = [this, &path](int fd) {
    file_ = static_cast<File*>(os::map(fd, sizeof(File)));
    if (file_ == nullptr) fail(path);
  };
  {
    const Descriptor file(os::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    Header found{};
    if (file.get() >= 0 && os::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size == static_cast<off_t>(sizeof(File)) &&
        os::pread(file.get(), &found, sizeof found, 0) == static_cast<ssize_t>(sizeof found) &&
        std::memcmp(&found, &wanted, sizeof found) == 0) {
      map(file.get());
      read_entries();
      return;
    }
  }
  os::unlink(path.c_str());
  const Descriptor file(os::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (file.get() < 0) fail(path);
  // Allocates the space now, because a full file system would cause a SIGBUS later.
  if (const int error = os::allocate(file.get(), sizeof(File)); error != 0) {
    os::unlink(path.c_str());
    errno = error;
    fail(path);
  }
  map(file.get());
  file_->header = wanted;
}

KnownIfindexes::~KnownIfindexes() {
  os::unmap(file_, sizeof(File));
}

void KnownIfindexes::read_entries() {
  for (std::size_t i = 0; i < most_ports; ++i) {
    Entry& entry = file_->entries[i];
    if (entry.in_use() && entries_.emplace(entry.name.data(), i).second) continue;
    if (entry.ifindex != 0) entry.ifindex = 0;  // leave empty pages untouched
  }
}

KnownIfindexes::Map KnownIfindexes::all() const {
  Map known;
  for (const auto& [name, i] : entries_) known.emplace(name, file_->entries[i].ifindex);
  return known;
}

void KnownIfindexes::set(std::string_view name, std::int32_t ifindex) {
  if (name.empty() || name.size() >= name_size || ifindex <= 0) return;
  const auto known = entries_.find(name);
  std::size_t at = known == entries_.end() ? next_free_ : known->second;
  if (known != entries_.end() && file_->entries[at].ifindex == ifindex) return;
  while (known == entries_.end() && at < most_ports && file_->entries[at].ifindex != 0) ++at;
  if (at == most_ports) return;
  Entry entry{};
  std::copy(name.begin(), name.end(), entry.name.begin());
  entry.ifindex = ifindex;
  entry.sum = entry.right_sum();
  file_->entries[at] = entry;
  if (known != entries_.end()) return;
  entries_.emplace(name, at);
  next_free_ = at + 1;
}

void KnownIfindexes::remove(std::string_view name) {
  const auto known = entries_.find(name);
  if (known == entries_.end()) return;
  file_->entries[known->second].ifindex = 0;
  next_free_ = std::min(next_free_, known->second);
  entries_.erase(known);
}

}  // namespace portsyncd
