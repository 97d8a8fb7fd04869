// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <portsync/export.hpp>
#include <portsync/state_sink.hpp>

namespace portsync {

// The output, and how much may wait for it.
struct JsonLinesOptions {
  int fd = 1;  // borrowed: not closed, its flags not changed. A pipe, socket, terminal or file
  std::size_t max_buffered_bytes = 1 << 20;  // room() is 0 while more than this waits for a slow reader
};

// Makes a write-only sink. It writes one JSON object and a newline for each row written or removed:
//   {"event":"put","port":"Ethernet0","ifindex":7,"admin_status":"up",...}
//   {"event":"erase","port":"Ethernet0"}
// A row counts as stored when the descriptor has taken all of its line. While there is no space (ENOSPC, EDQUOT,
// EFBIG), rows are refused with that error, and an incomplete line is removed from a regular file at once. A reader of
// a growing file ignores what follows the last newline. If the reader is gone (EPIPE), or for any other error, the sink
// closes for good. The program must ignore SIGPIPE unless fd is a socket, and SIGXFSZ if a file may reach RLIMIT_FSIZE.
// Throws std::system_error (a bad descriptor).
[[nodiscard]] PORTSYNC_API std::unique_ptr<StateSink> make_json_lines_sink(const JsonLinesOptions& options);

// Returns the projection of every member of the link to JSON values.
[[nodiscard]] PORTSYNC_API Projection json_lines_projection();

}  // namespace portsync
