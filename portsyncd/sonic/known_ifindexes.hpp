// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

namespace portsyncd {

// The scope of ifindexes: they are valid only in one network namespace and during one boot.
struct Surroundings {
  std::string boot_id;              // "" = unknown
  std::uint64_t net_namespace = 0;  // SO_NETNS_COOKIE, or, before Linux 5.14, the inode of /proc/self/ns/net
};

// Returns the surroundings of this process.
[[nodiscard]] Surroundings surroundings();

// Stores, for each port with a row in STATE_DB, the ifindex of its link. The file outlives the process, so that
// portsyncd notices a netdev that was recreated while it was not running. The file is mapped: a change is a store to
// memory without a system call, and it survives a SIGKILL. Ignores an entry that a crash left half-written, and a file
// of other surroundings or of another kind.
class KnownIfindexes {
 public:
  using Map = std::map<std::string, std::int32_t, std::less<>>;

  static constexpr std::size_t most_ports = 4096;  // further ports are not stored

  // Opens the file at `path`, or creates a new one. Throws std::system_error.
  KnownIfindexes(const std::string& path, const Surroundings& here);
  ~KnownIfindexes();
  KnownIfindexes(const KnownIfindexes&) = delete;
  KnownIfindexes& operator=(const KnownIfindexes&) = delete;

  // Returns the ifindexes of the file by the ports' names.
  [[nodiscard]] Map all() const;

  void set(std::string_view name, std::int32_t ifindex);
  void remove(std::string_view name);

 private:
  struct Header;
  struct Entry;
  struct File;

  void read_entries();

  File* file_ = nullptr;  // mapped
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> entries_;  // by name
  std::size_t next_free_ = 0;                                                    // no entry before it is free
};

}  // namespace portsyncd
