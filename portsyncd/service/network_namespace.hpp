// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace portsyncd {

// Detects that the name of the network namespace, /run/netns/asic0, no longer leads to the namespace in which the
// process was started. `ip netns del` and `ip netns add` make another namespace of the same name, with other links. The
// process stays in the old one, which exists as long as the process does.
class NetworkNamespace {
 public:
  // Looks where the name leads now. If that is not the namespace of the process (`own`), has_name() is false.
  explicit NetworkNamespace(std::string path, const std::string& own = "/proc/self/ns/net");

  [[nodiscard]] bool has_name() const noexcept { return own_.has_value(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  // Returns whether the name led to the namespace of the process, and does not any more.
  [[nodiscard]] bool has_lost_its_name() const;

 private:
  struct Id {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const Id&) const = default;
  };
  static std::optional<Id> id_of(const std::string& path);

  std::string path_;
  std::optional<Id> own_;  // std::nullopt: the name never led to it
};

}  // namespace portsyncd
