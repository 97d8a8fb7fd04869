// SPDX-License-Identifier: Apache-2.0
// Runs a target once with each file of the given folders: a corpus as a regression test, with any compiler.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "fuzz/fuzz.hpp"

namespace {

void replay(const std::filesystem::path& path) {
  const std::size_t size = std::filesystem::file_size(path);
  // Copies the input into memory of exactly its size, so that a sanitizer sees any access beyond.
  const auto data = std::make_unique<std::uint8_t[]>(size);
  std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(data.get()), static_cast<std::streamsize>(size));
  std::printf("%s\n", path.c_str());
  std::fflush(stdout);  // so that the last file that was named is the one that ended the process
  LLVMFuzzerTestOneInput(data.get(), size);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path path = argv[i];
    if (!std::filesystem::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(path)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) replay(file);
  std::printf("%zu inputs replayed\n", files.size());
  return files.empty() ? 1 : 0;
}
