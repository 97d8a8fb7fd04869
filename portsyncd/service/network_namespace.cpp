// SPDX-License-Identifier: Apache-2.0
#include "service/network_namespace.hpp"

#include <utility>

#include "os/system.hpp"

namespace portsyncd {

NetworkNamespace::NetworkNamespace(std::string path, const std::string& own)
    : path_(std::move(path)), own_(id_of(own)) {
  if (id_of(path_) != own_) own_.reset();
}

bool NetworkNamespace::has_lost_its_name() const {
  return own_ && id_of(path_) != own_;
}

std::optional<NetworkNamespace::Id> NetworkNamespace::id_of(const std::string& path) {
  struct stat status {};
  if (os::stat(path.c_str(), &status) != 0) return std::nullopt;
  return Id{status.st_dev, status.st_ino};
}

}  // namespace portsyncd
