// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

namespace portsyncd {

// Returns the whole content of a regular file. Refuses other kinds, because a FIFO would block and a device may never
// end. Throws std::system_error, which names the file. Throws std::invalid_argument if it is not a regular file or is
// longer than most_bytes.
[[nodiscard]] std::string read_regular_file(const std::string& path, std::size_t most_bytes);

// Returns the first line, such as a password, without its line end. Throws as read_regular_file() does, and
// std::invalid_argument if the line is empty.
[[nodiscard]] std::string read_first_line(const std::string& path);

// Returns whether the file's mode lets every user read it; false if its mode is unknown.
[[nodiscard]] bool every_user_may_read(const std::string& path) noexcept;

}  // namespace portsyncd
