// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace portsync::test {

// A folder for a test's files. The destructor removes it.
struct TemporaryFolder {
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "portsync-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error(name);
    path = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path); }

  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(path / name) << content;
    return path / name;
  }

  [[nodiscard]] std::string file(const std::string& name) const { return path / name; }

  std::filesystem::path path;
};

}  // namespace portsync::test
