// SPDX-License-Identifier: Apache-2.0
#include "base/runtime_directory.hpp"

#include <cerrno>
#include <string_view>
#include <system_error>

#include "os/system.hpp"

namespace portsyncd {

std::string runtime_directory() {
  const std::string_view directories = os::getenv("RUNTIME_DIRECTORY");
  return std::string(directories.substr(0, directories.find(':')));  // systemd.exec(5): may list several
}

std::string make_runtime_directory() {
  std::string directory = runtime_directory();
  if (directory.empty()) directory = default_runtime_directory;
  if (os::mkdir(directory.c_str(), 0755) == 0) {
    os::chmod(directory.c_str(), 0755);  // regardless of the umask
    return directory;
  }
  const int why = errno;
  struct stat status {};
  if (os::stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return directory;
  throw std::system_error(why, std::system_category(), directory);
}

}  // namespace portsyncd
