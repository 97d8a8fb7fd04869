// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

namespace portsyncd {

// Whose rows these are: the ifindexes hold in one network namespace of one boot.
struct Surroundings {
  std::string boot_id;              // "" = the kernel does not say
  std::uint64_t net_namespace = 0;  // SO_NETNS_COOKIE, or, before Linux 5.14, the inode of /proc/self/ns/net
};

// This process's.
[[nodiscard]] Surroundings surroundings();

// The ifindex of the link whose row STATE_DB has, by the port's name, in a file that outlives the process: a netdev
// that was made anew while portsyncd was away is found by it. The file is mapped: a change is a store to memory,
// without a system call, and is there after a SIGKILL. A slot that a crash has torn, and a file of other surroundings
// or of another kind, are ignored.
class KnownIfindexes {
 public:
  using Map = std::map<std::string, std::int32_t, std::less<>>;

  static constexpr std::size_t most_ports = 4096;  // the others are not kept

  // Takes over the file at `path`, or makes it anew. Throws std::system_error.
  KnownIfindexes(const std::string& path, const Surroundings& here);
  ~KnownIfindexes();
  KnownIfindexes(const KnownIfindexes&) = delete;
  KnownIfindexes& operator=(const KnownIfindexes&) = delete;

  // As they are in the file.
  [[nodiscard]] Map all() const;

  void set(std::string_view name, std::int32_t ifindex);
  void remove(std::string_view name);

 private:
  struct Header;
  struct Slot;
  struct File;

  void read_slots();

  File* file_ = nullptr;  // mapped
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> slots_;  // by name
  std::size_t next_free_ = 0;                                                  // no free slot is before it
};

}  // namespace portsyncd
