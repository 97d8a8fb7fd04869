// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <portsync/export.hpp>
#include <portsync/state_sink.hpp>

namespace portsync {

// Where the lines go, and how many may wait.
struct JsonLinesOptions {
  int fd = 1;  // borrowed: not closed, its flags not changed. A pipe, socket, terminal or file
  std::size_t max_buffered_bytes = 1 << 20;  // room() is 0 while more than this waits for a slow reader
};

// A write-only sink: one JSON object and a newline per row written or removed,
//   {"event":"put","port":"Ethernet0","ifindex":7,"admin_status":"up",...}
//   {"event":"erase","port":"Ethernet0"}
// A row counts as stored when the descriptor took all of its line. While there is no room (ENOSPC, EDQUOT, EFBIG) rows
// are refused with that error, and the part of a line that did fit is taken back out of a regular file. When the reader
// is gone (EPIPE), and for any other error, the sink is closed for good. The program must ignore SIGPIPE unless fd is a
// socket, and SIGXFSZ if a file may reach RLIMIT_FSIZE. Throws std::system_error (a bad descriptor).
[[nodiscard]] PORTSYNC_API std::unique_ptr<StateSink> make_json_lines_sink(const JsonLinesOptions& options);

// Every member of the link, as JSON values.
[[nodiscard]] PORTSYNC_API Projection json_lines_projection();

}  // namespace portsync
