// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

namespace portsyncd {

// The whole content of a regular file: a FIFO would hang, a device never end. Throws std::system_error that names the
// file, and std::invalid_argument for what is not a regular file or longer than most_bytes.
[[nodiscard]] std::string read_regular_file(const std::string& path, std::size_t most_bytes);

// The first line, without its end: a password, for one. The same errors; std::invalid_argument when it is empty.
[[nodiscard]] std::string read_first_line(const std::string& path);

// False when it cannot be asked.
[[nodiscard]] bool everybody_may_read(const std::string& path) noexcept;

}  // namespace portsyncd
